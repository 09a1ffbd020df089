-- The contacts that the documents of a profile are mailed to. Without any, they go to every contact with the invoice
-- preference.
CREATE TABLE fiscal_profile_contact (
    profile_id bigint NOT NULL REFERENCES fiscal_profile,
    contact_id bigint NOT NULL REFERENCES contact,
    PRIMARY KEY (profile_id, contact_id)
);
