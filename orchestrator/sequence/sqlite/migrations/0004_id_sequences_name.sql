CREATE TABLE IF NOT EXISTS id_sequences (
    name TEXT PRIMARY KEY,
    last_value INTEGER NOT NULL
);
