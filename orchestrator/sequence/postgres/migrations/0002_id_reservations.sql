CREATE TABLE IF NOT EXISTS id_reservations (
    reservation_id UUID NOT NULL PRIMARY KEY,
    artifact_type TEXT NOT NULL,
    project_id TEXT NOT NULL,
    reserved_ids TEXT[] NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    confirmed BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX IF NOT EXISTS id_reservations_open
    ON id_reservations (expires_at) WHERE NOT confirmed;
