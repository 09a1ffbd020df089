-- The documents whose state the SAT was asked for longest ago, and the invoices that wait for receipts.
CREATE INDEX cfdi_sat_checked ON cfdi (sat_checked_at NULLS FIRST, id DESC) WHERE status = 'stamped';
CREATE INDEX cfdi_ppd ON cfdi (invoice_id) WHERE kind = 'ingreso' AND metodo_pago = 'PPD' AND status = 'stamped';
CREATE INDEX cfdi_coverage_global ON cfdi_coverage (cfdi_id) WHERE active AND kind = 'global';
