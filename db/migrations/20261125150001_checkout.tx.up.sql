-- Money that a gateway takes back (a refund, a dispute) names its charge, not our checkout.
ALTER TABLE checkout ADD COLUMN charge_ref text NOT NULL DEFAULT '';
CREATE INDEX checkout_charge ON checkout (gateway, charge_ref) WHERE charge_ref <> '';
CREATE INDEX checkout_waiting ON checkout (updated_at) WHERE status IN ('created', 'open', 'processing');

ALTER TABLE refund
    ADD COLUMN payment_id  bigint REFERENCES payment, -- of the gateway's own refunds and disputes
    ADD COLUMN gateway_ref text UNIQUE;               -- the gateway's id of the refund or dispute

-- An event about a charge that we do not know yet waits here until its payment is booked.
ALTER TABLE gateway_event
    ADD COLUMN charge_ref   text NOT NULL DEFAULT '',
    ADD COLUMN reversal_ref text NOT NULL DEFAULT '', -- the gateway's id of the refund or dispute
    ADD COLUMN amount       bigint NOT NULL DEFAULT 0,
    ADD COLUMN currency     text NOT NULL DEFAULT '',
    ADD COLUMN dispute      boolean NOT NULL DEFAULT false;
CREATE INDEX gateway_event_waiting ON gateway_event (gateway, charge_ref) WHERE outcome = 'waiting';
CREATE INDEX gateway_event_reversal ON gateway_event (gateway, reversal_ref) WHERE reversal_ref <> '';
