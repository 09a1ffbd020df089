-- The audit log is asked for by the name or address of who acted, as the page shows it.
CREATE INDEX audit_actor ON audit (lower(actor), id DESC);
