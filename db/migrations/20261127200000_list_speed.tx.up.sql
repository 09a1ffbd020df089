-- Lists, sums and reports of a million invoices answer from indexes.

-- The newest first, and the sums of any filter of the console without the documents themselves.
CREATE INDEX invoice_day ON invoice (issue_date DESC, id DESC) INCLUDE (currency, status, due_date, total, paid, balance, client_id);
DROP INDEX invoice_list;
-- The other orders of the list.
CREATE INDEX invoice_due ON invoice (due_date, id);
CREATE INDEX invoice_total ON invoice (total, id);
CREATE INDEX invoice_balance ON invoice (balance, id);
CREATE INDEX invoice_folio ON invoice (coalesce(folio, 0), id);
-- What is owed, by age.
CREATE INDEX invoice_owed ON invoice (due_date, id) INCLUDE (currency, balance, client_id) WHERE status IN ('issued', 'partly_paid');
DROP INDEX invoice_open_due;
-- States that few invoices have.
CREATE INDEX invoice_rare ON invoice (status, issue_date DESC, id DESC) INCLUDE (currency, total, paid, balance) WHERE status IN ('draft', 'cancelled', 'written_off');

CREATE INDEX payment_day ON payment (received_on DESC, id DESC) INCLUDE (currency, amount, voided_at, method, client_id);
DROP INDEX payment_list;
CREATE INDEX payment_search ON payment USING gin (lower(reference) gin_trgm_ops);
CREATE INDEX payment_voided ON payment (received_on DESC, id DESC) WHERE voided_at IS NOT NULL;
-- Sums read indexes alone where the pages of the table are known to be visible to all: so vacuum comes after 2 %
-- of changes, not after 20 %.
ALTER TABLE invoice SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
ALTER TABLE payment SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

-- What the last comparison of ledger, documents and numbers found. It reads everything, so it is not done while
-- somebody waits for a page.
CREATE TABLE ledger_check (
    id         smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    checked_at timestamptz NOT NULL,
    gaps       jsonb NOT NULL
);
