-- The PDF that could not be drawn when its document was mailed follows once per recipient.
ALTER TABLE cfdi_mail DROP CONSTRAINT cfdi_mail_event_check;
ALTER TABLE cfdi_mail ADD CONSTRAINT cfdi_mail_event_check CHECK (event IN ('stamped', 'pdf', 'cancel_requested', 'cancelled'));
