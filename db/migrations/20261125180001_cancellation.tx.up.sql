-- Where a cancellation is, and what the SAT last said of a document. Columns carry the SAT's own words.
ALTER TABLE cfdi
    ADD COLUMN replaces_id              bigint REFERENCES cfdi, -- the document that this one substitutes (TipoRelacion 04)
    ADD COLUMN cancel_state             text NOT NULL DEFAULT '' CHECK (cancel_state IN ('', 'asked', 'requested', 'in_process', 'cancelled', 'rejected', 'refused')),
    ADD COLUMN cancel_round             int NOT NULL DEFAULT 0, -- how often it was asked for: a rejected one may be asked for again
    ADD COLUMN cancel_attempts          int NOT NULL DEFAULT 0,
    ADD COLUMN cancel_deadline          timestamptz, -- until when the receiver can answer
    ADD COLUMN sat_estado               text NOT NULL DEFAULT '',
    ADD COLUMN sat_es_cancelable        text NOT NULL DEFAULT '',
    ADD COLUMN sat_estatus_cancelacion  text NOT NULL DEFAULT '',
    ADD COLUMN sat_checked_at           timestamptz;

UPDATE cfdi SET cancel_state = CASE status WHEN 'cancelled' THEN 'cancelled' ELSE 'requested' END, cancel_round = 1
    WHERE status IN ('cancel_pending', 'cancelled');

-- A document and the one that takes its place are both in force until the first is cancelled.
DROP INDEX cfdi_invoice_once;
CREATE UNIQUE INDEX cfdi_invoice_once ON cfdi (invoice_id) WHERE kind = 'ingreso' AND status <> 'cancelled' AND replaces_id IS NULL;
CREATE UNIQUE INDEX cfdi_replaces_once ON cfdi (replaces_id) WHERE status <> 'cancelled';
CREATE INDEX cfdi_related ON cfdi (related_id);

-- A document is mailed when it is stamped, when its cancellation waits for the receiver, and when it is cancelled.
ALTER TABLE cfdi_mail
    ADD COLUMN event text NOT NULL DEFAULT 'stamped' CHECK (event IN ('stamped', 'cancel_requested', 'cancelled')),
    ADD COLUMN round int NOT NULL DEFAULT 0,
    DROP CONSTRAINT cfdi_mail_once,
    ADD CONSTRAINT cfdi_mail_once UNIQUE NULLS NOT DISTINCT (cfdi_id, contact_id, event, round);
