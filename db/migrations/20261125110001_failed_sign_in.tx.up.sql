-- Passwords and codes that were wrong, counted by account, network and hour, so that nobody can fill the
-- table: 50 networks an hour for an account, then one row for all others. Rows without an account count
-- the addresses that nobody signs in with.
CREATE TABLE failed_sign_in (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login_id bigint REFERENCES login ON DELETE CASCADE,
    staff_id bigint REFERENCES staff ON DELETE CASCADE,
    hour     timestamptz NOT NULL,
    network  text NOT NULL,        -- an IPv4 address or an IPv6 /64; '' for all others
    attempts int NOT NULL,         -- wrong passwords and wrong codes
    codes    int NOT NULL,         -- of them, wrong codes after the right password
    device   text NOT NULL,        -- user agent of the last one
    last_at  timestamptz NOT NULL,
    CHECK (login_id IS NULL OR staff_id IS NULL),
    UNIQUE NULLS NOT DISTINCT (login_id, staff_id, hour, network)
);
CREATE INDEX failed_sign_in_staff ON failed_sign_in (staff_id) WHERE staff_id IS NOT NULL;

-- Recovery codes are keyed hashes: which secret made one decides when the old secret can go.
ALTER TABLE recovery_code ADD COLUMN secret_id text NOT NULL DEFAULT '';
