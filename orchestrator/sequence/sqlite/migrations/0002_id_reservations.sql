CREATE TABLE IF NOT EXISTS id_reservations (
    reservation_id TEXT NOT NULL PRIMARY KEY,
    artifact_type TEXT NOT NULL,
    project_id TEXT NOT NULL,
    reserved_ids TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS id_reservations_open
    ON id_reservations (expires_at) WHERE NOT confirmed;
