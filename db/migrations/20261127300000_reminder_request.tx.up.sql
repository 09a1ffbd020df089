-- A run of reminders that a person asked for and that goes on in the background, because much is to be planned.
CREATE TABLE reminder_request (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    immediate   boolean NOT NULL,
    asked_by    text NOT NULL,
    planned     bigint NOT NULL DEFAULT 0, -- counted with the rows themselves, so that a lost worker loses no figure
    skipped     bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz
);
