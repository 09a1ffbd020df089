-- Who was told what a comparison of documents, payments and numbers found, once each.
CREATE TABLE ledger_notice (
    checked_at timestamptz NOT NULL,
    staff_id   bigint NOT NULL REFERENCES staff,
    email      text NOT NULL,
    status     text NOT NULL CHECK (status IN ('sent', 'failed')),
    reply      text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (checked_at, staff_id)
);
