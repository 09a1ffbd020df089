-- People and access: roles of staff, invitations and other links, second factors, tokens, audit.
-- A "person" is a login or a member of staff: exactly one of login_id and staff_id is set.

-- What happened: written in the transaction of the change itself, never changed after. No foreign
-- keys on purpose: the log outlives what it speaks of.
CREATE TABLE audit (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    client_id bigint,             -- whose account was changed; null: the company's own
    kind      text NOT NULL,      -- anonymous, login, staff, system
    login_id  bigint,
    staff_id  bigint,
    token_id  bigint,             -- API token through which staff acted
    actor     text NOT NULL,      -- name of the actor at the time
    address   text NOT NULL DEFAULT '',
    device    text NOT NULL DEFAULT '',
    request   text NOT NULL DEFAULT '',
    verb      text NOT NULL,      -- contact.update
    object    text NOT NULL DEFAULT '', -- global id: con_42
    before    jsonb,              -- only what the change touched, without secrets
    after     jsonb
);
CREATE INDEX audit_client ON audit (client_id, id DESC);
CREATE INDEX audit_verb ON audit (verb, id DESC);
CREATE INDEX audit_login ON audit (login_id, id DESC) WHERE login_id IS NOT NULL;
CREATE INDEX audit_staff ON audit (staff_id, id DESC) WHERE staff_id IS NOT NULL;

-- Roles withhold UPDATE and DELETE from the application; the trigger withholds them from everybody
-- who works with the tables' owner too, by accident or not.
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Those who are staff today keep what they could do; whoever is added later gets a role by name.
ALTER TABLE staff ADD COLUMN role text NOT NULL DEFAULT 'admin' CHECK (role IN ('admin', 'billing', 'support', 'readonly'));
ALTER TABLE staff ALTER COLUMN role SET DEFAULT 'readonly';
ALTER TABLE company ADD COLUMN staff_second_factor boolean NOT NULL DEFAULT false;
ALTER TABLE client ADD COLUMN second_factor boolean NOT NULL DEFAULT false;

CREATE TABLE api_token (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id     bigint NOT NULL REFERENCES staff, -- who made it; it can never do more than this person may
    name         text NOT NULL,
    token_hash   bytea NOT NULL UNIQUE,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- An invited sub-account has no login until the person accepts.
ALTER TABLE sub_account ALTER COLUMN login_id DROP NOT NULL;
ALTER TABLE sub_account ADD CONSTRAINT sub_account_has_login CHECK (login_id IS NOT NULL OR status = 'invited');

-- A single-use link in a mail. Only the SHA-256 of its token is kept. used_at closes it, whether it
-- was used, cancelled or replaced.
CREATE TABLE link (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose        text NOT NULL CHECK (purpose IN ('invitation', 'reset', 'handover')),
    token_hash     bytea NOT NULL UNIQUE,
    email          text NOT NULL,
    sub_account_id bigint REFERENCES sub_account ON DELETE CASCADE,
    login_id       bigint REFERENCES login ON DELETE CASCADE,
    staff_id       bigint REFERENCES staff ON DELETE CASCADE,
    invited_by     text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    sent_at        timestamptz,
    mail_error     text NOT NULL DEFAULT '',
    used_at        timestamptz,
    CHECK (num_nonnulls(sub_account_id, login_id, staff_id) = 1)
);
CREATE UNIQUE INDEX link_open ON link (purpose, sub_account_id, login_id, staff_id) NULLS NOT DISTINCT WHERE used_at IS NULL;
CREATE INDEX link_sub_account ON link (sub_account_id);

ALTER TABLE session ADD COLUMN factor_at timestamptz; -- when a second factor was proved in it
ALTER TABLE session ADD COLUMN viewing_client_id bigint REFERENCES client; -- staff who see as this client

-- A browser that signed in before, by a random cookie of its own.
CREATE TABLE device (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login_id     bigint REFERENCES login ON DELETE CASCADE,
    staff_id     bigint REFERENCES staff ON DELETE CASCADE,
    key_hash     bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((login_id IS NULL) <> (staff_id IS NULL)),
    UNIQUE NULLS NOT DISTINCT (key_hash, login_id, staff_id)
);
CREATE INDEX device_login ON device (login_id);
CREATE INDEX device_staff ON device (staff_id);

-- The shared secret of an authenticator app, sealed by the application.
CREATE TABLE totp (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login_id     bigint UNIQUE REFERENCES login ON DELETE CASCADE,
    staff_id     bigint UNIQUE REFERENCES staff ON DELETE CASCADE,
    secret       bytea NOT NULL,
    confirmed_at timestamptz,
    last_step    bigint NOT NULL DEFAULT 0, -- of 30 s since 1970: a code is good once (RFC 6238 section 5.2)
    created_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((login_id IS NULL) <> (staff_id IS NULL))
);

CREATE TABLE recovery_code (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login_id  bigint REFERENCES login ON DELETE CASCADE,
    staff_id  bigint REFERENCES staff ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    used_at   timestamptz,
    CHECK ((login_id IS NULL) <> (staff_id IS NULL))
);
CREATE INDEX recovery_code_login ON recovery_code (login_id);
CREATE INDEX recovery_code_staff ON recovery_code (staff_id);

CREATE TABLE passkey (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login_id      bigint REFERENCES login ON DELETE CASCADE,
    staff_id      bigint REFERENCES staff ON DELETE CASCADE,
    credential_id bytea NOT NULL UNIQUE,
    name          text NOT NULL,
    credential    jsonb NOT NULL, -- public key and counters (Web Authentication Level 3, section 4)
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    CHECK ((login_id IS NULL) <> (staff_id IS NULL))
);
CREATE INDEX passkey_login ON passkey (login_id);
CREATE INDEX passkey_staff ON passkey (staff_id);

-- A step between two requests: a sign-in that waits for its second factor, a passkey being added.
CREATE TABLE ceremony (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose    text NOT NULL CHECK (purpose IN ('sign_in', 'passkey')),
    token_hash bytea NOT NULL UNIQUE,
    login_id   bigint REFERENCES login ON DELETE CASCADE,
    staff_id   bigint REFERENCES staff ON DELETE CASCADE,
    address    text NOT NULL DEFAULT '',
    device     text NOT NULL DEFAULT '',
    data       jsonb NOT NULL DEFAULT '{}', -- the challenge
    attempts   int NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    CHECK ((login_id IS NULL) <> (staff_id IS NULL))
);
CREATE INDEX ceremony_expiry ON ceremony (expires_at);

-- Roles of the whole cluster, made where the migrating user may make roles. What each may do is in
-- grants.sql, which every migration run applies anew. NOLOGIN: people and processes sign in as users
-- of their own that are members, or switch with SET ROLE.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['avisa_migrate', 'avisa_web', 'avisa_worker'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- another database of the cluster was first
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % was not created: the migrating user lacks CREATEROLE. Ask an administrator for CREATE ROLE % NOLOGIN and migrate again.', name, name;
        END;
    END LOOP;
END $$;
