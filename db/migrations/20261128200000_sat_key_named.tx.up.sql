-- A line's keys are looked up when it is written, among the 55,000 of the catalog.
CREATE INDEX sat_key_key ON sat_key (catalog, key);
