-- What a gateway told and nobody could book waits for a person's decision.
ALTER TABLE gateway_event
    ADD COLUMN id          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN session_ref text NOT NULL DEFAULT '', -- the gateway's id of the payment page
    ADD COLUMN decision    text NOT NULL DEFAULT '' CHECK (decision IN ('', 'booked', 'dismissed')),
    ADD COLUMN reason      text NOT NULL DEFAULT '',
    ADD COLUMN payment_id  bigint REFERENCES payment, -- that the decision booked
    ADD COLUMN decided_at  timestamptz,
    ADD CHECK ((decision = '') = (decided_at IS NULL));
CREATE INDEX gateway_event_review ON gateway_event (id DESC) WHERE outcome IN ('mismatch', 'unbooked', 'differs');
