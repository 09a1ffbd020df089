-- When the contact's address was last changed, NULL: never. Where the company wants addresses confirmed, one
-- that was given or changed since must be.
ALTER TABLE contact ADD address_changed_at timestamptz;
