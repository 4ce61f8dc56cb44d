CREATE TABLE IF NOT EXISTS id_registry (
    artifact_type TEXT NOT NULL,
    project_id TEXT NOT NULL,
    last_assigned_id INTEGER NOT NULL DEFAULT 0,
    updated_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (artifact_type, project_id)
);
