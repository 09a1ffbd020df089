-- The addresses that take no mail are listed: there are few of them among many.
CREATE INDEX client_bounced ON client (bounced_at DESC) WHERE bounced_email <> '';
CREATE INDEX contact_bounced ON contact (bounced_at DESC) WHERE bounced_email <> '';
