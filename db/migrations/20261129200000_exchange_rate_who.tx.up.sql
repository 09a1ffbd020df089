-- Who stored a rate, and when: the list of rates says so.
ALTER TABLE exchange_rate
    ADD COLUMN set_by text NOT NULL DEFAULT '',
    ADD COLUMN set_at timestamptz;
