-- Mails of one design share their frame: the HTML without the texts and the addresses of links (mail.Split).
-- It is most of a mail, and there are few of them, so that keeping a mail costs little more than its words.
CREATE TABLE email_frame (
    hash text PRIMARY KEY, -- the first half of its SHA-256
    html text NOT NULL
);
ALTER TABLE email ADD frame text; -- NULL: email.html is the whole part
