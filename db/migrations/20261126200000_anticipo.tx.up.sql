-- Anticipos: documents of payments on account whose service is not known yet (guide of Anexo 20, appendix 6).
ALTER TABLE cfdi
    DROP CONSTRAINT cfdi_kind_check,
    ADD CONSTRAINT cfdi_kind_check CHECK (kind IN ('ingreso', 'egreso', 'pago', 'global', 'anticipo')),
    ADD CONSTRAINT cfdi_anticipo CHECK (kind <> 'anticipo' OR payment_id IS NOT NULL);
CREATE UNIQUE INDEX cfdi_anticipo_once ON cfdi (payment_id) WHERE kind = 'anticipo' AND status <> 'cancelled';

-- What a document of that kind is about: the part of the payment that is the client's credit.
CREATE TABLE anticipo (
    cfdi_id    bigint PRIMARY KEY REFERENCES cfdi,
    client_id  bigint NOT NULL REFERENCES client,
    payment_id bigint NOT NULL REFERENCES payment,
    currency   text NOT NULL,
    amount     bigint NOT NULL CHECK (amount > 0), -- with taxes, minor units of the currency
    treatment  text NOT NULL CHECK (treatment IN ('iva16', 'iva8', 'iva0', 'exento', 'no_objeto'))
);
CREATE INDEX anticipo_client ON anticipo (client_id, cfdi_id);
CREATE INDEX anticipo_payment ON anticipo (payment_id);

-- What of it pays an invoice, and the document (egreso) that takes it out of the income again. A row goes when the
-- credit is taken back.
CREATE TABLE anticipo_application (
    anticipo_id bigint NOT NULL REFERENCES anticipo,
    invoice_id  bigint NOT NULL REFERENCES invoice,
    amount      bigint NOT NULL CHECK (amount > 0),
    entry       bigint NOT NULL REFERENCES ledger_entry, -- by which the credit paid the invoice
    egreso_id   bigint REFERENCES cfdi,                  -- null until the invoice's own document is stamped
    PRIMARY KEY (anticipo_id, invoice_id, entry)
);
CREATE INDEX anticipo_application_invoice ON anticipo_application (invoice_id);
CREATE INDEX anticipo_application_egreso ON anticipo_application (egreso_id);
