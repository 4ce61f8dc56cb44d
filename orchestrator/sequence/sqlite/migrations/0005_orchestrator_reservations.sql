CREATE TABLE IF NOT EXISTS orchestrator_reservations (
    reservation_id TEXT NOT NULL PRIMARY KEY,
    sequence_table TEXT NOT NULL,
    sequence_key TEXT NOT NULL,
    reserved_ids TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS orchestrator_reservations_open
    ON orchestrator_reservations (expires_at) WHERE NOT confirmed;
