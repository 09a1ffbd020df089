-- Who was told that receipts (REP) are due on a day and not stamped, once for each day.
CREATE TABLE receipt_notice (
    due      date NOT NULL,
    staff_id bigint NOT NULL REFERENCES staff,
    email    text NOT NULL,
    status   text NOT NULL CHECK (status IN ('sent', 'failed', 'skipped')),
    reply    text NOT NULL DEFAULT '',
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (due, staff_id)
);
