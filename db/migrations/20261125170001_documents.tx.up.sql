-- Fiscal documents of credit notes, receipts of payments over several invoices, and global invoices.

-- A return is related to the invoice with TipoRelacion 03, everything else with 01.
ALTER TABLE credit_note ADD COLUMN is_return boolean NOT NULL DEFAULT false;

-- A global invoice is nobody's: it has neither client nor profile.
ALTER TABLE cfdi
    ALTER COLUMN client_id DROP NOT NULL,
    ALTER COLUMN profile_id DROP NOT NULL,
    ADD COLUMN credit_note_id bigint REFERENCES credit_note,
    ADD COLUMN period_start date, -- of a global invoice: its first day
    ADD COLUMN periodicidad text NOT NULL DEFAULT '',
    ADD CONSTRAINT cfdi_whose CHECK (kind = 'global' OR client_id IS NOT NULL),
    ADD CONSTRAINT cfdi_profile CHECK (kind IN ('global', 'egreso') OR profile_id IS NOT NULL),
    ADD CONSTRAINT cfdi_period CHECK ((kind = 'global') = (period_start IS NOT NULL) AND (kind = 'global') = (periodicidad <> ''));
CREATE UNIQUE INDEX cfdi_credit_note_once ON cfdi (credit_note_id) WHERE kind = 'egreso' AND status <> 'cancelled';

-- The invoices that one document covers: those that a payment receipt receipts (payment_id null: paid by the
-- client's credit), those whose sales a global invoice sums up. active ends when the document is cancelled, or
-- when what it says is no longer so: then the invoice is covered by another.
CREATE TABLE cfdi_coverage (
    cfdi_id    bigint NOT NULL REFERENCES cfdi,
    invoice_id bigint NOT NULL REFERENCES invoice,
    kind       text NOT NULL CHECK (kind IN ('pago', 'global')),
    payment_id bigint REFERENCES payment,
    related_id bigint REFERENCES cfdi, -- of a receipt: the invoice's own document
    amount     bigint NOT NULL CHECK (amount > 0), -- minor units of the invoice's currency
    active     boolean NOT NULL DEFAULT true,
    PRIMARY KEY (cfdi_id, invoice_id)
);
CREATE INDEX cfdi_coverage_invoice ON cfdi_coverage (invoice_id);
CREATE UNIQUE INDEX cfdi_coverage_payment_once ON cfdi_coverage (payment_id, invoice_id) WHERE active AND payment_id IS NOT NULL;
CREATE UNIQUE INDEX cfdi_coverage_global_once ON cfdi_coverage (invoice_id) WHERE active AND kind = 'global';

INSERT INTO cfdi_coverage (cfdi_id, invoice_id, kind, payment_id, related_id, amount, active)
SELECT c.id, c.invoice_id, 'pago', c.payment_id, c.related_id, greatest(p.applied, 1), c.status <> 'cancelled' FROM cfdi AS c
JOIN (SELECT invoice_id, payment_id, sum(amount) FILTER (WHERE amount > 0)::bigint AS applied FROM ledger_entry GROUP BY 1, 2) AS p
    ON p.invoice_id = c.invoice_id AND p.payment_id = c.payment_id
WHERE c.kind = 'pago';
DROP INDEX cfdi_payment_once;

CREATE FUNCTION cfdi_uncover() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE cfdi_coverage SET active = false WHERE cfdi_id = NEW.id AND active;
    RETURN NULL;
END $$;
CREATE TRIGGER cfdi_uncover AFTER UPDATE OF status ON cfdi FOR EACH ROW WHEN (NEW.status = 'cancelled' AND OLD.status <> 'cancelled')
    EXECUTE FUNCTION cfdi_uncover();

-- How often paid sales that nobody asked a document for are summed up: c_Periodicidad, '' for never.
ALTER TABLE fiscal_issuer ADD COLUMN global_periodicidad text NOT NULL DEFAULT '04' CHECK (global_periodicidad IN ('', '01', '02', '03', '04', '05'));
