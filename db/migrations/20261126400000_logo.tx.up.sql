-- Logos by their content, so that a document keeps the one it was issued with. None is ever removed.
CREATE TABLE logo (
    hash    text PRIMARY KEY CHECK (hash = encode(sha256(picture), 'hex')),
    picture bytea NOT NULL
);

ALTER TABLE company ADD COLUMN logo_hash text NOT NULL DEFAULT '';
INSERT INTO logo SELECT encode(sha256(logo), 'hex'), logo FROM company WHERE octet_length(logo) > 0;
UPDATE company SET logo_hash = encode(sha256(logo), 'hex') WHERE octet_length(logo) > 0;
ALTER TABLE company DROP COLUMN logo;
