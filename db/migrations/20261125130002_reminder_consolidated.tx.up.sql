-- One mail for the invoices of a client that are due on the same day, where the policy says so. Rows that
-- go out in the same mail have its Message-ID from the moment they are claimed for it.
ALTER TABLE reminder_policy ADD consolidate boolean NOT NULL DEFAULT false;
