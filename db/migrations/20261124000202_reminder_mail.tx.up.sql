-- The key that signs personal links, made once, and which links no longer hold.
CREATE TABLE mail_link_key (
    id  smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    key bytea NOT NULL
);
CREATE TABLE mail_link_revocation (
    client_id  bigint NOT NULL REFERENCES client,
    contact_id bigint NOT NULL DEFAULT 0, -- 0: the client's own address
    before     timestamptz NOT NULL,      -- links made until then
    PRIMARY KEY (client_id, contact_id)
);

-- Late fees. A rule is never edited but retired and added, like a step.
CREATE TABLE late_fee_rule (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    kind       text NOT NULL DEFAULT '', -- '' : any kind of item
    tld        text NOT NULL DEFAULT '', -- of domains; '': any
    currency   text NOT NULL DEFAULT 'MXN',
    percent    numeric(9, 4) NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    fixed      bigint NOT NULL DEFAULT 0 CHECK (fixed >= 0),
    minimum    bigint NOT NULL DEFAULT 0 CHECK (minimum >= 0),
    grace_days int NOT NULL CHECK (grace_days BETWEEN 0 AND 365),
    treatment  text NOT NULL DEFAULT 'iva16',
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    CHECK ((percent > 0) <> (fixed > 0))
);
-- Once per invoice and rule: this key is what makes a fee exactly one.
CREATE TABLE late_fee (
    invoice_id bigint NOT NULL REFERENCES invoice,
    rule_id    bigint NOT NULL REFERENCES late_fee_rule,
    charge_id  bigint NOT NULL REFERENCES invoice, -- the invoice of the fee
    amount     bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (invoice_id, rule_id)
);

-- Versions of mail templates, by place in the policy and language. The newest holds unless it is
-- empty, which means "back to the built-in one".
CREATE TABLE mail_template (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    anchor     text NOT NULL CHECK (anchor IN ('issue', 'due')),
    days       int NOT NULL,
    language   text NOT NULL,
    subject    text NOT NULL,
    body       text NOT NULL,
    author     text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mail_template_newest ON mail_template (anchor, days, language, id DESC);

CREATE INDEX delivery_failed ON delivery (id DESC) WHERE status IN ('failed', 'bounced');
CREATE INDEX delivery_sent ON delivery (sent_at) WHERE sent_at IS NOT NULL;
