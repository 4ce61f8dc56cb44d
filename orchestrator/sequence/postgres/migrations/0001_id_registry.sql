CREATE TABLE IF NOT EXISTS id_registry (
    artifact_type TEXT NOT NULL,
    project_id TEXT NOT NULL,
    last_assigned_id BIGINT NOT NULL DEFAULT 0,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (artifact_type, project_id)
);
