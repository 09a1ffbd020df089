-- An invoice is proposed to one deposit at a time.
CREATE INDEX bank_movement_proposed ON bank_movement (invoice_id) WHERE status = 'matched' AND invoice_id IS NOT NULL;
