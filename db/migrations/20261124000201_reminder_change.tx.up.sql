-- What changed since the last planning run, so that the run of every minute looks at that alone. All
-- open invoices are looked at when a day or a sending window begins anywhere, when a policy or a
-- holiday changes (client_id null), and once an hour whatever happened.
CREATE TABLE reminder_change (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint,
    taken     text NOT NULL DEFAULT '' -- by the run that looks at it
);
ALTER TABLE reminder_run ADD whole boolean NOT NULL DEFAULT true; -- looked at all open invoices
CREATE INDEX reminder_run_whole ON reminder_run (started_at DESC) WHERE full_run AND whole;
CREATE INDEX invoice_open_client ON invoice (client_id, id) WHERE status IN ('issued', 'partly_paid');

CREATE FUNCTION note_reminder_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'client' THEN
        INSERT INTO reminder_change (client_id) SELECT id FROM changed;
    ELSIF TG_TABLE_NAME IN ('contact', 'invoice') THEN
        INSERT INTO reminder_change (client_id) SELECT DISTINCT client_id FROM changed;
    ELSE
        INSERT INTO reminder_change (client_id) VALUES (NULL);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER client_added AFTER INSERT ON client REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER client_changed AFTER UPDATE ON client REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER contact_added AFTER INSERT ON contact REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER contact_changed AFTER UPDATE ON contact REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER invoice_added AFTER INSERT ON invoice REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER invoice_changed AFTER UPDATE ON invoice REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER policy_changed AFTER INSERT OR UPDATE OR DELETE ON reminder_policy FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER step_changed AFTER INSERT OR UPDATE OR DELETE ON reminder_step FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER holiday_changed AFTER INSERT OR UPDATE OR DELETE ON holiday FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
CREATE TRIGGER company_changed AFTER INSERT OR UPDATE ON company FOR EACH STATEMENT EXECUTE FUNCTION note_reminder_change();
