-- Why somebody is or is not reminded asks for all contacts of a client, deleted ones too: the index of those
-- that are not deleted could not serve that.
CREATE INDEX contact_client ON contact (client_id, id);
DROP INDEX contact_list;
-- What became of reminders in the last days, without reading the ledger of years.
CREATE INDEX delivery_created ON delivery (created_at);
