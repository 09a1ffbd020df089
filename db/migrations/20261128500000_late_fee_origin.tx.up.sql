-- A rule that was changed is the rule that it replaces, so that a fee is charged once whatever is changed about it.
ALTER TABLE late_fee_rule ADD COLUMN origin_id bigint REFERENCES late_fee_rule; -- the first of the rules that replaced each other; null: this one
