-- What of an anticipo was given back to the client, and the document (egreso) that says so; none where all of it was, whose
-- document is cancelled instead.
CREATE TABLE anticipo_refund (
    refund_id   bigint NOT NULL REFERENCES refund,
    anticipo_id bigint NOT NULL REFERENCES anticipo,
    amount      bigint NOT NULL CHECK (amount > 0),
    egreso_id   bigint REFERENCES cfdi,
    PRIMARY KEY (refund_id, anticipo_id)
);
CREATE INDEX anticipo_refund_anticipo ON anticipo_refund (anticipo_id);
CREATE INDEX anticipo_refund_egreso ON anticipo_refund (egreso_id);
