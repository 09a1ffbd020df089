-- Reminder policies for groups, business days, two kinds of pause, addresses that do not work.

CREATE TABLE client_group (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX client_group_name ON client_group (lower(name));

-- A pause holds the days from paused_from up to, without, paused_until. Steps that fall on them are
-- left out (skip) or moved to paused_until (shift).
-- An address is out of use while it equals bounced_email, and confirmed while it equals
-- verified_email: whoever changes the address starts afresh.
ALTER TABLE client
    ADD group_id        bigint REFERENCES client_group,
    ADD paused_from     date,
    ADD pause_mode      text NOT NULL DEFAULT 'skip' CHECK (pause_mode IN ('skip', 'shift')),
    ADD late_fee_exempt boolean NOT NULL DEFAULT false,
    ADD bounced_email   text NOT NULL DEFAULT '',
    ADD bounced_at      timestamptz,
    ADD bounce_detail   text NOT NULL DEFAULT '',
    ADD soft_bounces    int NOT NULL DEFAULT 0;
CREATE INDEX client_group_members ON client (group_id, id) WHERE group_id IS NOT NULL;

ALTER TABLE invoice
    ADD paused_from date,
    ADD pause_mode  text NOT NULL DEFAULT 'skip' CHECK (pause_mode IN ('skip', 'shift'));
CREATE INDEX invoice_open ON invoice (id) WHERE status IN ('issued', 'partly_paid');

ALTER TABLE contact
    ADD bounced_email  text NOT NULL DEFAULT '',
    ADD bounced_at     timestamptz,
    ADD bounce_detail  text NOT NULL DEFAULT '',
    ADD soft_bounces   int NOT NULL DEFAULT 0,
    ADD verified_email text NOT NULL DEFAULT '',
    ADD verified_at    timestamptz;

-- verify_contacts: a contact added after verify_since is mailed only at an address that it confirmed.
ALTER TABLE company
    ADD verify_contacts boolean NOT NULL DEFAULT false,
    ADD verify_since    timestamptz;

ALTER TABLE reminder_policy
    ADD group_id      bigint REFERENCES client_group,
    ADD business_days boolean NOT NULL DEFAULT false,
    ADD attach_pdf    boolean NOT NULL DEFAULT false,
    ADD retired_at    timestamptz, -- the group or client is ruled by the default again; steps stay for the ledger
    ADD CHECK (client_id IS NULL OR group_id IS NULL);
DROP INDEX reminder_policy_scope;
CREATE UNIQUE INDEX reminder_policy_scope ON reminder_policy (client_id, group_id) NULLS NOT DISTINCT WHERE retired_at IS NULL;

-- Days without bank business: those of the law (from the program, see internal/date) and the
-- company's own.
CREATE TABLE holiday (
    day     date PRIMARY KEY,
    name_es text NOT NULL,
    name_en text NOT NULL,
    own     boolean NOT NULL DEFAULT false
);

-- The day on which a step acts that falls on base: a day inside a shifting pause becomes the pause's
-- end, and a day without business the next one that has some, until neither applies. A pause also
-- takes the days just before it (catch_up) along, because they could have been sent late.
CREATE FUNCTION reminder_day(base date, business boolean, catch_up int,
    client_from date, client_until date, invoice_from date, invoice_until date) RETURNS date
LANGUAGE plpgsql STABLE AS $$
DECLARE
    acts date := base;
    before date;
BEGIN
    LOOP
        before := acts;
        IF acts >= client_from - catch_up AND acts < client_until THEN acts := client_until; END IF;
        IF acts >= invoice_from - catch_up AND acts < invoice_until THEN acts := invoice_until; END IF;
        WHILE business AND (extract(isodow FROM acts) > 5 OR EXISTS (SELECT FROM holiday AS h WHERE h.day = acts)) LOOP
            acts := acts + 1;
        END LOOP;
        EXIT WHEN acts = before;
    END LOOP;
    RETURN acts;
END $$;
