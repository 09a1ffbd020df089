-- What another system calls the client: imports and API callers name it again without making a second one.
ALTER TABLE client ADD COLUMN external_ref text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX client_external_ref ON client (external_ref) WHERE external_ref <> '';
