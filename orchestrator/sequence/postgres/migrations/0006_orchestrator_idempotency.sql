CREATE TABLE IF NOT EXISTS orchestrator_idempotency (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX IF NOT EXISTS orchestrator_idempotency_expiry
    ON orchestrator_idempotency (expires_at);
