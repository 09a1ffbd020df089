-- What the lists of the console are ordered and looked up by.
CREATE INDEX invoice_origin ON invoice (origin_id) WHERE origin_id IS NOT NULL;
CREATE INDEX payment_list ON payment (received_on DESC, id DESC);
DROP INDEX payment_month;
CREATE INDEX service_next ON service (next_on, id) WHERE next_on IS NOT NULL;
