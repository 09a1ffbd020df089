-- Fiscal documents (CFDI 4.0). Columns carry the SAT's own words for the SAT's own fields.

-- The company as an issuer. Without it, and without an active CSD, nothing is sealed.
CREATE TABLE fiscal_issuer (
    id               smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    rfc              text NOT NULL,
    nombre           text NOT NULL,
    regimen_fiscal   text NOT NULL,
    lugar_expedicion text NOT NULL CHECK (lugar_expedicion ~ '^[0-9]{5}$'),
    serie_ingreso    text NOT NULL DEFAULT 'A',
    serie_egreso     text NOT NULL DEFAULT 'NC',
    serie_pago       text NOT NULL DEFAULT 'P',
    serie_global     text NOT NULL DEFAULT 'G',
    cfdi_when        text NOT NULL DEFAULT 'on_payment' CHECK (cfdi_when IN ('on_payment', 'on_issue', 'on_request')),
    automatic_since  timestamptz NOT NULL DEFAULT now(), -- older invoices are stamped when somebody asks
    updated_at       timestamptz NOT NULL DEFAULT now()
);

-- Certificados de sello digital. The key is encrypted by a key that is not in the database.
CREATE TABLE csd (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rfc            text NOT NULL,
    no_certificado text NOT NULL UNIQUE CHECK (no_certificado ~ '^[0-9]{20}$'),
    cer            bytea NOT NULL,
    key            bytea NOT NULL,
    valid_from     timestamptz NOT NULL,
    valid_until    timestamptz NOT NULL,
    active         boolean NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX csd_active ON csd (active) WHERE active;

-- Who a client's documents are issued to. Closed, never removed.
CREATE TABLE fiscal_profile (
    id                        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id                 bigint NOT NULL REFERENCES client,
    rfc                       text NOT NULL,
    nombre                    text NOT NULL,
    domicilio_fiscal_receptor text NOT NULL,
    regimen_fiscal_receptor   text NOT NULL,
    uso_cfdi                  text NOT NULL,
    residencia_fiscal         text NOT NULL DEFAULT '',
    is_default                boolean NOT NULL DEFAULT false,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    deleted_at                timestamptz
);
CREATE UNIQUE INDEX fiscal_profile_default ON fiscal_profile (client_id) WHERE is_default AND deleted_at IS NULL;
CREATE INDEX fiscal_profile_client ON fiscal_profile (client_id, id) WHERE deleted_at IS NULL;

-- When a client's documents are issued, where that differs from the company's rule.
CREATE TABLE fiscal_preference (
    client_id bigint PRIMARY KEY REFERENCES client,
    cfdi_when text NOT NULL CHECK (cfdi_when IN ('on_payment', 'on_issue', 'on_request'))
);


-- A fiscal document. sealed is what the PAC is sent, again and again until its answer is known; xml is
-- the document itself, never written twice.
CREATE TABLE cfdi (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind                text NOT NULL CHECK (kind IN ('ingreso', 'egreso', 'pago', 'global')),
    client_id           bigint NOT NULL REFERENCES client,
    invoice_id          bigint REFERENCES invoice,
    payment_id          bigint REFERENCES payment,
    related_id          bigint REFERENCES cfdi,
    profile_id          bigint NOT NULL REFERENCES fiscal_profile,
    metodo_pago         text NOT NULL DEFAULT '',
    status              text NOT NULL CHECK (status IN ('draft', 'sealed', 'stamping', 'stamped', 'stamp_failed', 'cancel_pending', 'cancelled')),
    rfc_emisor          text NOT NULL DEFAULT '',
    serie               text NOT NULL DEFAULT '',
    folio               bigint,
    rfc_receptor        text NOT NULL DEFAULT '',
    nombre_receptor     text NOT NULL DEFAULT '',
    total               text NOT NULL DEFAULT '',
    moneda              text NOT NULL DEFAULT '',
    fecha               timestamptz,
    build               int NOT NULL DEFAULT 0, -- how often it was sealed: after a refusal it is built anew
    sealed              bytea,
    uuid                text,
    xml                 bytea,
    xml_sha256          bytea,
    stamped_at          timestamptz,
    lease_until         timestamptz, -- a worker is at it until then
    attempts            int NOT NULL DEFAULT 0,
    code                text NOT NULL DEFAULT '', -- what the last attempt failed with
    message             text NOT NULL DEFAULT '',
    log                 jsonb NOT NULL DEFAULT '[]',
    cancel_motivo       text NOT NULL DEFAULT '',
    cancel_sustitucion  text NOT NULL DEFAULT '',
    cancel_requested_at timestamptz,
    cancelled_at        timestamptz,
    acuse               bytea,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (rfc_emisor, serie, folio),
    CHECK ((xml IS NULL) = (uuid IS NULL)),
    CHECK ((xml IS NULL) = (xml_sha256 IS NULL)),
    CHECK (status NOT IN ('stamped', 'cancel_pending', 'cancelled') OR xml IS NOT NULL),
    CHECK (status NOT IN ('sealed', 'stamping') OR sealed IS NOT NULL)
);
CREATE UNIQUE INDEX cfdi_uuid ON cfdi (upper(uuid));
CREATE UNIQUE INDEX cfdi_invoice_once ON cfdi (invoice_id) WHERE kind = 'ingreso' AND status <> 'cancelled';
CREATE UNIQUE INDEX cfdi_payment_once ON cfdi (payment_id, invoice_id) WHERE kind = 'pago' AND status <> 'cancelled';
CREATE INDEX cfdi_invoice ON cfdi (invoice_id);
CREATE INDEX cfdi_client ON cfdi (client_id, id DESC);
CREATE INDEX cfdi_status ON cfdi (status, id DESC);

CREATE TABLE cfdi_download (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cfdi_id  bigint NOT NULL REFERENCES cfdi,
    format   text NOT NULL CHECK (format IN ('xml', 'pdf', 'acuse')),
    login_id bigint REFERENCES login,
    staff_id bigint REFERENCES staff,
    address  text NOT NULL DEFAULT '',
    at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX cfdi_download_cfdi ON cfdi_download (cfdi_id, id);

-- Who a document was mailed to (contact_id null: the client's own address), once each.
CREATE TABLE cfdi_mail (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cfdi_id    bigint NOT NULL REFERENCES cfdi,
    contact_id bigint REFERENCES contact,
    email      text NOT NULL,
    message_id text NOT NULL,
    status     text NOT NULL CHECK (status IN ('sent', 'failed', 'skipped')),
    with_pdf   boolean NOT NULL,
    reply      text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT cfdi_mail_once UNIQUE NULLS NOT DISTINCT (cfdi_id, contact_id)
);

-- What the embedded test PAC remembers, so that a repetition gets its first stamp after a restart too.
CREATE TABLE sandbox_identity (
    id  smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    pem bytea NOT NULL
);
CREATE TABLE sandbox_stamp (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash              text NOT NULL UNIQUE,
    key               text UNIQUE,
    uuid              text NOT NULL UNIQUE,
    xml               bytea NOT NULL,
    query             jsonb NOT NULL,
    refs              text[] NOT NULL,
    cancel            text NOT NULL DEFAULT '',
    requested_at      timestamptz,
    estatus           text NOT NULL DEFAULT '',
    acuse             bytea
);
CREATE INDEX sandbox_stamp_refs ON sandbox_stamp USING gin (refs);
