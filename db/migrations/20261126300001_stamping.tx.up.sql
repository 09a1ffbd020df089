-- The monitor of stamping: what the last attempt failed with while a document waits, and since when it fails.
ALTER TABLE cfdi
    ADD COLUMN failure       text NOT NULL DEFAULT '' CHECK (failure IN ('', 'rejected', 'auth', 'unavailable', 'unknown')),
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN failed_at     timestamptz;
CREATE INDEX cfdi_unstamped ON cfdi (id) WHERE status IN ('draft', 'sealed', 'stamping', 'stamp_failed');
CREATE INDEX cfdi_failing ON cfdi (failed_at) WHERE failure <> '' AND status IN ('sealed', 'stamping');
CREATE INDEX cfdi_stamped_at ON cfdi (stamped_at) WHERE stamped_at IS NOT NULL;

-- How many stamps are left to buy from, as the provider last said.
CREATE TABLE stamp_credit (
    id         smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    credits    int, -- null: without limit
    checked_at timestamptz NOT NULL
);
-- Fewer than these are too few; 0 never warns.
ALTER TABLE fiscal_issuer ADD COLUMN credit_alert int NOT NULL DEFAULT 100 CHECK (credit_alert BETWEEN 0 AND 1000000);

-- Who was told that a certificate expires, once for each number of days before.
CREATE TABLE csd_notice (
    csd_id   bigint NOT NULL REFERENCES csd,
    days     int NOT NULL CHECK (days IN (30, 60)),
    staff_id bigint NOT NULL REFERENCES staff,
    email    text NOT NULL,
    status   text NOT NULL CHECK (status IN ('sent', 'failed', 'skipped')),
    reply    text NOT NULL DEFAULT '',
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (csd_id, days, staff_id)
);
