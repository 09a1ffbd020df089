-- What a document was refused for: the field and the SAT's code beside the message, in both languages.
ALTER TABLE cfdi
    ADD COLUMN message_en text NOT NULL DEFAULT '',
    ADD COLUMN field text NOT NULL DEFAULT '',
    ADD COLUMN sat_code text NOT NULL DEFAULT '';

-- A draft fails too: where the clock is off, nothing is sealed.
DROP INDEX cfdi_failing;
CREATE INDEX cfdi_failing ON cfdi (failed_at) WHERE failure <> '' AND status IN ('draft', 'sealed', 'stamping');
ALTER TABLE cfdi DROP CONSTRAINT cfdi_failure_check;
ALTER TABLE cfdi ADD CONSTRAINT cfdi_failure_check CHECK (failure IN ('', 'rejected', 'auth', 'clock', 'unavailable', 'unknown'));
