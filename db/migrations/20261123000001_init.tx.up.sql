-- The first schema. Amounts are minor units (cents) of the row's currency; times are UTC; legal and
-- due dates are calendar dates in the client's time zone. Rows that the ledger speaks of (clients,
-- contacts, invoices, steps) are closed, never removed, so that history stays readable.

CREATE TABLE company (
    id              smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    name            text NOT NULL,
    legal_name      text NOT NULL DEFAULT '',
    tax_id          text NOT NULL DEFAULT '',
    email           text NOT NULL,
    phonenumber     text NOT NULL DEFAULT '',
    website         text NOT NULL DEFAULT '',
    address         text NOT NULL DEFAULT '',
    signature       text NOT NULL DEFAULT '',
    payment_details text NOT NULL DEFAULT '',
    brand_colour    text NOT NULL DEFAULT '#0f766e' CHECK (brand_colour ~ '^#[0-9a-f]{6}$'),
    logo            bytea,
    timezone        text NOT NULL DEFAULT 'America/Mexico_City',
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE client (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    email        text NOT NULL,
    phonenumber  text NOT NULL DEFAULT '',
    tax_id       text NOT NULL DEFAULT '',
    address1     text NOT NULL DEFAULT '',
    address2     text NOT NULL DEFAULT '',
    city         text NOT NULL DEFAULT '',
    state        text NOT NULL DEFAULT '',
    postcode     text NOT NULL DEFAULT '',
    country      text NOT NULL DEFAULT 'MX',
    language     text NOT NULL DEFAULT 'es-MX',
    timezone     text NOT NULL DEFAULT 'America/Mexico_City',
    topics       text[] NOT NULL DEFAULT '{general,product,domain,invoice,support,affiliate}'
                 CHECK (topics <@ '{general,product,domain,invoice,support,affiliate}'::text[]),
    paused_until date,
    pause_reason text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX client_search ON client USING gin ((lower(name || ' ' || email || ' ' || tax_id)) gin_trgm_ops);
CREATE INDEX client_name ON client (lower(name), id);

CREATE TABLE contact (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id    bigint NOT NULL REFERENCES client,
    firstname    text NOT NULL DEFAULT '',
    lastname     text NOT NULL DEFAULT '',
    companyname  text NOT NULL DEFAULT '',
    email        text NOT NULL,
    phonenumber  text NOT NULL DEFAULT '',
    tax_id       text NOT NULL DEFAULT '',
    address1     text NOT NULL DEFAULT '',
    address2     text NOT NULL DEFAULT '',
    city         text NOT NULL DEFAULT '',
    state        text NOT NULL DEFAULT '',
    postcode     text NOT NULL DEFAULT '',
    country      text NOT NULL DEFAULT 'MX',
    language     text NOT NULL DEFAULT 'es-MX',
    timezone     text NOT NULL DEFAULT 'America/Mexico_City',
    topics       text[] NOT NULL DEFAULT '{}'
                 CHECK (topics <@ '{general,product,domain,invoice,support,affiliate}'::text[]),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    deleted_at   timestamptz
);
CREATE UNIQUE INDEX contact_email ON contact (client_id, lower(email)) WHERE deleted_at IS NULL;
CREATE INDEX contact_list ON contact (client_id, id) WHERE deleted_at IS NULL;

-- A login with a home client was made by that client, who typed its password: it serves that client
-- alone. A personal login (no home client) proved its address and may reach several clients. So nobody
-- can take over a person's future access by making a login for the person's address first.
CREATE TABLE login (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    home_client_id bigint REFERENCES client,
    email          text NOT NULL,
    password_hash  text NOT NULL,
    language       text NOT NULL DEFAULT 'es-MX',
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX login_email ON login (lower(email), home_client_id) NULLS NOT DISTINCT;

-- A login's access to one client. The owner's row has no contact and holds every permission.
CREATE TABLE sub_account (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   bigint NOT NULL REFERENCES client,
    contact_id  bigint UNIQUE REFERENCES contact,
    login_id    bigint NOT NULL REFERENCES login,
    owner       boolean NOT NULL DEFAULT false,
    permissions text[] NOT NULL DEFAULT '{}'
                CHECK (permissions <@ '{profile,contacts,products,manageproducts,productsso,domains,managedomains,invoices,quotes,tickets,affiliates,emails,orders}'::text[]),
    status      text NOT NULL DEFAULT 'active' CHECK (status IN ('invited', 'active', 'suspended')),
    expires_on  date,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (client_id, login_id),
    CHECK (owner = (contact_id IS NULL))
);
CREATE UNIQUE INDEX sub_account_owner ON sub_account (client_id) WHERE owner;
CREATE INDEX sub_account_login ON sub_account (login_id);

CREATE TABLE staff (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL,
    name          text NOT NULL,
    password_hash text NOT NULL,
    language      text NOT NULL DEFAULT 'es-MX',
    active        boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX staff_email ON staff (lower(email));

-- A signed-in device. Only the SHA-256 of the token is kept.
CREATE TABLE session (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash   bytea NOT NULL UNIQUE,
    login_id     bigint REFERENCES login ON DELETE CASCADE,
    staff_id     bigint REFERENCES staff ON DELETE CASCADE,
    address      text NOT NULL DEFAULT '',
    device       text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    CHECK ((login_id IS NULL) <> (staff_id IS NULL))
);
CREATE INDEX session_login ON session (login_id);
CREATE INDEX session_staff ON session (staff_id);
CREATE INDEX session_expiry ON session (expires_at);

-- Numbering without gaps: the row is locked while an invoice takes its number.
CREATE TABLE series (
    name text PRIMARY KEY,
    last bigint NOT NULL DEFAULT 0
);

CREATE TABLE invoice (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id       bigint NOT NULL REFERENCES client,
    series          text NOT NULL,
    folio           bigint NOT NULL,
    number          text NOT NULL UNIQUE,
    status          text NOT NULL CHECK (status IN ('issued', 'partly_paid', 'paid', 'cancelled', 'written_off')),
    currency        text NOT NULL DEFAULT 'MXN',
    issue_date      date NOT NULL,
    due_date        date NOT NULL,
    subtotal        bigint NOT NULL,
    discount        bigint NOT NULL DEFAULT 0,
    tax             bigint NOT NULL,
    withheld        bigint NOT NULL DEFAULT 0,
    total           bigint NOT NULL CHECK (total > 0),
    paid            bigint NOT NULL DEFAULT 0 CHECK (paid >= 0 AND paid <= total),
    balance         bigint GENERATED ALWAYS AS (total - paid) STORED,
    client_snapshot jsonb NOT NULL,
    issuer_snapshot jsonb NOT NULL,
    notes           text NOT NULL DEFAULT '',
    request_key     text UNIQUE,
    paused_until    date,
    pause_reason    text NOT NULL DEFAULT '',
    pdf_key         text NOT NULL DEFAULT '',
    pdf_size        bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    paid_at         timestamptz,
    cancelled_at    timestamptz,
    UNIQUE (series, folio),
    CHECK (due_date >= issue_date)
);
CREATE INDEX invoice_client ON invoice (client_id, issue_date DESC, id DESC);
CREATE INDEX invoice_list ON invoice (issue_date DESC, id DESC);
CREATE INDEX invoice_open_due ON invoice (due_date, id) WHERE status IN ('issued', 'partly_paid');

CREATE TABLE invoice_line (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id  bigint NOT NULL REFERENCES invoice,
    position    int NOT NULL,
    description text NOT NULL,
    quantity    numeric(18, 6) NOT NULL,
    unit_price  numeric(18, 6) NOT NULL,
    discount    bigint NOT NULL DEFAULT 0,
    amount      bigint NOT NULL,
    treatment   text NOT NULL,
    UNIQUE (invoice_id, position)
);

CREATE TABLE payment (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id  bigint NOT NULL REFERENCES invoice,
    client_id   bigint NOT NULL REFERENCES client,
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text NOT NULL,
    method      text NOT NULL,
    reference   text NOT NULL DEFAULT '',
    received_on date NOT NULL,
    request_key text NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payment_invoice ON payment (invoice_id);

CREATE TABLE invoice_download (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id bigint NOT NULL REFERENCES invoice,
    login_id   bigint REFERENCES login,
    staff_id   bigint REFERENCES staff,
    address    text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX invoice_download_invoice ON invoice_download (invoice_id, id);

-- A policy without client is the default one.
CREATE TABLE reminder_policy (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL,
    client_id      bigint REFERENCES client,
    send_from      time NOT NULL DEFAULT '09:00',
    send_until     time NOT NULL DEFAULT '18:00',
    catch_up_days  int NOT NULL DEFAULT 3 CHECK (catch_up_days BETWEEN 0 AND 60),
    created_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (send_from < send_until)
);
CREATE UNIQUE INDEX reminder_policy_scope ON reminder_policy (client_id) NULLS NOT DISTINCT;

-- A step is never edited: a change retires it and adds another, so that the past keeps its meaning.
CREATE TABLE reminder_step (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_id  bigint NOT NULL REFERENCES reminder_policy,
    anchor     text NOT NULL CHECK (anchor IN ('issue', 'due')),
    days       int NOT NULL CHECK (days BETWEEN -365 AND 730),
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
CREATE UNIQUE INDEX reminder_step_once ON reminder_step (policy_id, anchor, days) WHERE retired_at IS NULL;

-- One run of the planner. The newest finished one tells how far back the next must look.
CREATE TABLE reminder_run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    full_run    boolean NOT NULL, -- every client, not a selection
    planned     bigint NOT NULL,
    skipped     bigint NOT NULL
);
CREATE INDEX reminder_run_full ON reminder_run (started_at DESC) WHERE full_run;

-- The ledger: one row is one mail of one step of one invoice to one recipient (contact_id null: the
-- client's own address). The unique key is what makes a reminder exactly one. It has no foreign
-- keys on purpose: rows come from a SELECT over those very tables, millions at a time.
CREATE TABLE delivery (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id bigint NOT NULL,
    step_id    bigint NOT NULL,
    contact_id bigint,
    client_id  bigint NOT NULL,
    status     text NOT NULL CHECK (status IN ('planned', 'queued', 'sending', 'sent', 'failed', 'skipped', 'cancelled', 'bounced')),
    reason     text NOT NULL DEFAULT '',
    -- when the relay must look at the row again: planned, the time to send; queued and sending, the
    -- end of the lease after which the work counts as lost; null once the row is final.
    due_at     timestamptz,
    send_at    timestamptz NOT NULL,
    email      text NOT NULL,
    language   text NOT NULL DEFAULT '',
    message_id text NOT NULL DEFAULT '',
    attempts   int NOT NULL DEFAULT 0,
    history    jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz,
    CHECK ((due_at IS NULL) = (status IN ('sent', 'failed', 'skipped', 'cancelled', 'bounced'))),
    CONSTRAINT delivery_once UNIQUE NULLS NOT DISTINCT (invoice_id, step_id, contact_id)
);
CREATE INDEX delivery_due ON delivery (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_queued ON delivery (status) WHERE status IN ('queued', 'sending');
CREATE INDEX delivery_client ON delivery (client_id, id DESC);

-- Work to be done after the transaction that asked for it: the relay hands it to the queue and the
-- row stays until the work is done, so that an emptied queue loses nothing.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    payload    jsonb NOT NULL,
    unique_key text UNIQUE,
    due_at     timestamptz NOT NULL DEFAULT now(),
    attempts   int NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_due ON outbox (due_at);
