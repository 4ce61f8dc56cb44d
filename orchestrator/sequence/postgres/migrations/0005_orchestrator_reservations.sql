CREATE TABLE IF NOT EXISTS orchestrator_reservations (
    reservation_id UUID NOT NULL PRIMARY KEY,
    sequence_table TEXT NOT NULL,
    sequence_key TEXT[] NOT NULL,
    reserved_ids TEXT[] NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    confirmed BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX IF NOT EXISTS orchestrator_reservations_open
    ON orchestrator_reservations (expires_at) WHERE NOT confirmed;
