-- The life of an invoice, the ledger of what is settled, what is billed, and online payments.

-- One row per request that moves money or makes a document: a second request with the same key
-- waits for the first and changes nothing.
CREATE TABLE billing_request (
    key        text PRIMARY KEY,
    verb       text NOT NULL,
    scope      bigint NOT NULL, -- the client or document the request spoke of
    subject    bigint NOT NULL DEFAULT 0, -- what it made
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO billing_request (key, verb, scope, subject, created_at)
SELECT request_key, 'issue', client_id, id, created_at FROM invoice WHERE request_key IS NOT NULL;
INSERT INTO billing_request (key, verb, scope, subject, created_at)
SELECT request_key, 'payment', client_id, id, created_at FROM payment
ON CONFLICT (key) DO NOTHING;

-- Drafts have no number yet; everything else keeps the constraints it had.
ALTER TABLE invoice ALTER COLUMN series DROP NOT NULL, ALTER COLUMN folio DROP NOT NULL, ALTER COLUMN number DROP NOT NULL;
ALTER TABLE invoice DROP CONSTRAINT invoice_status_check;
ALTER TABLE invoice ADD CONSTRAINT invoice_status_check
    CHECK (status IN ('draft', 'issued', 'partly_paid', 'paid', 'cancelled', 'written_off'));
ALTER TABLE invoice ADD CONSTRAINT invoice_numbered CHECK ((status = 'draft') = (number IS NULL) AND (number IS NULL) = (folio IS NULL));
ALTER TABLE invoice
    ADD COLUMN kind               text NOT NULL DEFAULT 'invoice' CHECK (kind IN ('invoice', 'late_fee')),
    ADD COLUMN origin_id          bigint REFERENCES invoice, -- a late fee: the invoice that was late
    ADD COLUMN external_reference text NOT NULL DEFAULT '',
    ADD COLUMN exchange_rate      numeric(18, 6) NOT NULL DEFAULT 1 CHECK (exchange_rate > 0), -- MXN per unit of currency
    ADD COLUMN rate_source        text NOT NULL DEFAULT '',
    ADD COLUMN rate_date          date,
    ADD COLUMN credited           bigint NOT NULL DEFAULT 0, -- the part of the total that credit notes took away
    ADD COLUMN issued_at          timestamptz,
    ADD COLUMN written_off_at     timestamptz,
    ADD COLUMN close_reason       text NOT NULL DEFAULT '', -- of a cancellation or write-off
    ADD COLUMN pdf_mark           text NOT NULL DEFAULT '', -- the mark on the rendered PDF: an invoice that became overdue is rendered again
    ADD COLUMN links_revoked_at   timestamptz; -- personal pay links made before are void
UPDATE invoice SET issued_at = created_at;
ALTER TABLE invoice DROP COLUMN balance;
ALTER TABLE invoice ADD COLUMN balance bigint GENERATED ALWAYS AS (total - paid - credited) STORED;
ALTER TABLE invoice ADD CONSTRAINT invoice_settled_check CHECK (credited >= 0 AND paid + credited <= total);
CREATE INDEX invoice_search ON invoice USING gin ((lower(number || ' ' || external_reference)) gin_trgm_ops);
CREATE INDEX invoice_paid ON invoice (client_id, paid_at) WHERE paid_at IS NOT NULL;
CREATE INDEX invoice_external ON invoice (external_reference) WHERE external_reference <> '';

ALTER TABLE invoice_line
    ADD COLUMN kind               text NOT NULL DEFAULT '',
    ADD COLUMN tld                text NOT NULL DEFAULT '',
    ADD COLUMN clave_prod_serv    text NOT NULL DEFAULT '',
    ADD COLUMN clave_unidad       text NOT NULL DEFAULT '',
    ADD COLUMN price_includes_tax boolean NOT NULL DEFAULT false,
    ADD COLUMN retencion_isr      numeric(8, 6) NOT NULL DEFAULT 0,
    ADD COLUMN retencion_iva      numeric(8, 6) NOT NULL DEFAULT 0,
    ADD COLUMN service_id         bigint,
    ADD COLUMN period_start       date,
    ADD COLUMN period_end         date;

-- What was issued stays as it was issued. Rules live in the program; this is the last line of
-- defence against a mistake in it, or against a person with psql.
CREATE FUNCTION refuse_issued_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' OR NEW.status = 'draft' OR OLD.status = 'cancelled' AND NEW.status <> 'cancelled'
        OR ROW (OLD.client_id, OLD.series, OLD.folio, OLD.number, OLD.kind, OLD.origin_id, OLD.currency, OLD.exchange_rate, OLD.rate_source, OLD.rate_date,
            OLD.issue_date, OLD.due_date, OLD.subtotal, OLD.discount, OLD.tax, OLD.withheld, OLD.total, OLD.client_snapshot, OLD.issuer_snapshot, OLD.notes,
            OLD.external_reference)
        IS DISTINCT FROM
        ROW (NEW.client_id, NEW.series, NEW.folio, NEW.number, NEW.kind, NEW.origin_id, NEW.currency, NEW.exchange_rate, NEW.rate_source, NEW.rate_date,
            NEW.issue_date, NEW.due_date, NEW.subtotal, NEW.discount, NEW.tax, NEW.withheld, NEW.total, NEW.client_snapshot, NEW.issuer_snapshot, NEW.notes,
            NEW.external_reference)
    THEN
        RAISE EXCEPTION 'invoice % is issued and cannot be changed', OLD.number USING ERRCODE = 'restrict_violation', CONSTRAINT = 'invoice_immutable';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_immutable BEFORE UPDATE OR DELETE ON invoice FOR EACH ROW EXECUTE FUNCTION refuse_issued_change();

-- Lines arrive with their invoice, in its transaction, and follow it.
CREATE FUNCTION refuse_issued_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM changed JOIN invoice ON invoice.id = changed.invoice_id WHERE invoice.status <> 'draft'
        AND (TG_OP <> 'INSERT' OR invoice.xmin::text <> (pg_current_xact_id()::text::numeric % 4294967296)::text)) THEN
        RAISE EXCEPTION 'the lines of an issued invoice cannot be changed' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'invoice_line_immutable';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER invoice_line_added AFTER INSERT ON invoice_line REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_line();
CREATE TRIGGER invoice_line_edited AFTER UPDATE ON invoice_line REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_line();
CREATE TRIGGER invoice_line_removed AFTER DELETE ON invoice_line REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_line();

-- Exchange rates, as published: MXN per unit of the currency.
CREATE TABLE exchange_rate (
    currency text NOT NULL CHECK (currency <> 'MXN'),
    day      date NOT NULL,
    rate     numeric(18, 6) NOT NULL CHECK (rate > 0),
    source   text NOT NULL,
    PRIMARY KEY (currency, day)
);

-- A payment is money of a client; the ledger says which invoices it settled.
ALTER TABLE payment ALTER COLUMN invoice_id DROP NOT NULL;
ALTER TABLE payment ALTER COLUMN request_key DROP NOT NULL;
ALTER TABLE payment
    ADD COLUMN gateway_ref text UNIQUE, -- the gateway's id of the charge
    ADD COLUMN voided_at   timestamptz,
    ADD COLUMN void_reason text NOT NULL DEFAULT '';
CREATE INDEX payment_client ON payment (client_id, received_on DESC, id DESC);
CREATE INDEX payment_month ON payment (received_on);

CREATE TABLE credit_note (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id       bigint NOT NULL REFERENCES client,
    invoice_id      bigint NOT NULL REFERENCES invoice,
    series          text NOT NULL,
    folio           bigint NOT NULL,
    number          text NOT NULL UNIQUE,
    currency        text NOT NULL,
    exchange_rate   numeric(18, 6) NOT NULL DEFAULT 1,
    issue_date      date NOT NULL,
    subtotal        bigint NOT NULL,
    discount        bigint NOT NULL DEFAULT 0,
    tax             bigint NOT NULL,
    withheld        bigint NOT NULL DEFAULT 0,
    total           bigint NOT NULL CHECK (total > 0),
    lines           jsonb NOT NULL,
    reason          text NOT NULL DEFAULT '',
    client_snapshot jsonb NOT NULL,
    issuer_snapshot jsonb NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (series, folio)
);
CREATE INDEX credit_note_invoice ON credit_note (invoice_id);
CREATE INDEX credit_note_client ON credit_note (client_id, issue_date DESC, id DESC);

CREATE TABLE refund (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   bigint NOT NULL REFERENCES client,
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text NOT NULL,
    method      text NOT NULL,
    reference   text NOT NULL DEFAULT '',
    refunded_on date NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refund_client ON refund (client_id, refunded_on DESC, id DESC);

-- The ledger. An entry settles an invoice, or moves the client's credit (no invoice); a positive
-- amount is in the client's favour. Entries are never changed: what is undone is undone by another.
--   invoice.paid + invoice.credited = sum of its entries
--   client_credit.amount            = sum of the client's entries without invoice
--   payment.amount, credit_note.total, -refund.amount = sum of their entries (0 once voided)
CREATE TABLE ledger_entry (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id      bigint NOT NULL REFERENCES client,
    currency       text NOT NULL,
    invoice_id     bigint REFERENCES invoice,
    kind           text NOT NULL CHECK (kind IN ('payment', 'payment_void', 'credit_note', 'credit_applied', 'credit_released', 'refund')),
    amount         bigint NOT NULL CHECK (amount <> 0),
    payment_id     bigint REFERENCES payment,
    credit_note_id bigint REFERENCES credit_note,
    refund_id      bigint REFERENCES refund,
    actor          text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ledger_entry_invoice ON ledger_entry (invoice_id) WHERE invoice_id IS NOT NULL;
CREATE INDEX ledger_entry_payment ON ledger_entry (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX ledger_entry_client ON ledger_entry (client_id, id DESC);

INSERT INTO ledger_entry (client_id, currency, invoice_id, kind, amount, payment_id, created_at)
SELECT client_id, currency, invoice_id, 'payment', amount, id, created_at FROM payment;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is written once', TG_TABLE_NAME USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_immutable';
END $$;
CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credit_note_immutable BEFORE UPDATE OR DELETE ON credit_note FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refund_immutable BEFORE UPDATE OR DELETE ON refund FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The sum of the client's entries without invoice, kept for reading and as the lock of spending it.
CREATE TABLE client_credit (
    client_id bigint NOT NULL REFERENCES client,
    currency  text NOT NULL,
    amount    bigint NOT NULL CONSTRAINT client_credit_positive CHECK (amount >= 0),
    PRIMARY KEY (client_id, currency)
);

-- What is billed.
CREATE TABLE product (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name               text NOT NULL,
    kind               text NOT NULL CHECK (kind IN ('hosting', 'domain', 'server', 'ssl', 'email', 'license', 'support', 'other')),
    tld                text NOT NULL DEFAULT '',
    cycle              text NOT NULL CHECK (cycle IN ('monthly', 'quarterly', 'yearly', 'one_off')),
    price              numeric(18, 6) NOT NULL CHECK (price >= 0),
    currency           text NOT NULL,
    treatment          text NOT NULL,
    price_includes_tax boolean NOT NULL DEFAULT false,
    clave_prod_serv    text NOT NULL,
    clave_unidad       text NOT NULL,
    active             boolean NOT NULL DEFAULT true,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'domain') = (tld <> ''))
);

CREATE TABLE service (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id          bigint NOT NULL REFERENCES client,
    product_id         bigint REFERENCES product,
    description        text NOT NULL,
    kind               text NOT NULL,
    tld                text NOT NULL DEFAULT '',
    cycle              text NOT NULL CHECK (cycle IN ('monthly', 'quarterly', 'yearly', 'one_off')),
    quantity           numeric(18, 6) NOT NULL DEFAULT 1 CHECK (quantity > 0),
    price              numeric(18, 6) NOT NULL,
    currency           text NOT NULL,
    treatment          text NOT NULL,
    price_includes_tax boolean NOT NULL DEFAULT false,
    clave_prod_serv    text NOT NULL,
    clave_unidad       text NOT NULL,
    starts_on          date NOT NULL,
    anchor_day         int NOT NULL CHECK (anchor_day BETWEEN 1 AND 31), -- of the month; the last day where a month is shorter
    next_on            date, -- first day of the next period to be invoiced; null when there is none
    ends_on            date, -- no period begins on this day or later
    days_before        int NOT NULL DEFAULT 14 CHECK (days_before BETWEEN 0 AND 90),
    status             text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'ended')),
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX service_client ON service (client_id, id);
CREATE INDEX service_due ON service ((next_on - days_before), id) WHERE status = 'active' AND next_on IS NOT NULL;

-- The ledger of periods: what makes an invoice of a period exactly one.
CREATE TABLE service_period (
    service_id bigint NOT NULL REFERENCES service,
    starts_on  date NOT NULL,
    ends_on    date NOT NULL, -- first day after the period
    invoice_id bigint NOT NULL REFERENCES invoice,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service_id, starts_on),
    CHECK (starts_on < ends_on OR starts_on = ends_on)
);

-- Bank statements: each movement waits for a person's word.
CREATE TABLE bank_movement (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint bytea NOT NULL UNIQUE, -- of the row and its occurrence in the file: the same statement twice adds nothing
    received_on date NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text NOT NULL,
    reference   text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    status      text NOT NULL CHECK (status IN ('unmatched', 'matched', 'confirmed', 'ignored')),
    match       text NOT NULL DEFAULT '', -- why: number_and_amount, number, client_and_amount, client
    client_id   bigint REFERENCES client,
    invoice_id  bigint REFERENCES invoice,
    payment_id  bigint REFERENCES payment,
    imported_at timestamptz NOT NULL DEFAULT now(),
    decided_at  timestamptz
);
CREATE INDEX bank_movement_review ON bank_movement (status, received_on, id);

-- Online payments: one checkout pays one or more invoices of a client.
CREATE TABLE checkout (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   bigint NOT NULL REFERENCES client,
    currency    text NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    gateway     text NOT NULL,
    status      text NOT NULL CHECK (status IN ('created', 'open', 'processing', 'paid', 'failed', 'expired')),
    session_ref text UNIQUE,
    url         text NOT NULL DEFAULT '',
    payment_id  bigint REFERENCES payment,
    expires_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX checkout_client ON checkout (client_id, id DESC);
CREATE TABLE checkout_invoice (
    checkout_id bigint NOT NULL REFERENCES checkout,
    invoice_id  bigint NOT NULL REFERENCES invoice,
    amount      bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (checkout_id, invoice_id)
);

-- What gateways told us, each event once, however often it is delivered.
CREATE TABLE gateway_event (
    gateway     text NOT NULL,
    event_ref   text NOT NULL,
    kind        text NOT NULL,
    checkout_id bigint REFERENCES checkout,
    outcome     text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (gateway, event_ref)
);

ALTER TABLE company ADD COLUMN clabe text NOT NULL DEFAULT '' CHECK (clabe ~ '^([0-9]{18})?$');

-- Imports and bank statements name clients by these.
CREATE INDEX client_email ON client (lower(email));
CREATE INDEX client_tax_id ON client (lower(tax_id)) WHERE tax_id <> '';
