-- A closed client is billed for nothing new; what it has and owes stays.
ALTER TABLE client ADD COLUMN closed_at timestamptz, ADD COLUMN close_reason text NOT NULL DEFAULT '';
CREATE INDEX client_closed ON client (lower(name), id) WHERE closed_at IS NOT NULL;
