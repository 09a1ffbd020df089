-- The XML of the stamped CFDI goes out with the reminder, where the policy says so.
ALTER TABLE reminder_policy ADD attach_xml boolean NOT NULL DEFAULT false;
