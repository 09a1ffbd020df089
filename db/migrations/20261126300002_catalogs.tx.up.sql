-- The SAT's catalogs that were imported: each takes the place of the one that comes with the product.
CREATE TABLE sat_catalog (
    name        text PRIMARY KEY, -- c_FormaPago
    version     bigint NOT NULL UNIQUE, -- rises with every import of any of them
    sha256      bytea NOT NULL,   -- of its keys
    partial     boolean NOT NULL, -- the SAT has keys that are not listed
    source      text NOT NULL,    -- name of the file
    imported_at timestamptz NOT NULL DEFAULT now()
);
CREATE SEQUENCE sat_catalog_version OWNED BY sat_catalog.version;
-- A key may be there several times, with periods of validity one after the other. Names are the SAT's.
CREATE TABLE sat_key (
    catalog         text NOT NULL REFERENCES sat_catalog ON DELETE CASCADE,
    n               int NOT NULL, -- order of the file
    key             text NOT NULL,
    text            text NOT NULL,
    vigencia_desde  text NOT NULL DEFAULT '' CHECK (vigencia_desde = '' OR vigencia_desde ~ '^\d{4}-\d\d-\d\d$'), -- '': always
    vigencia_hasta  text NOT NULL DEFAULT '' CHECK (vigencia_hasta = '' OR vigencia_hasta ~ '^\d{4}-\d\d-\d\d$'),
    properties      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (catalog, n)
);
