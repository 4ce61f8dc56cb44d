CREATE TABLE IF NOT EXISTS id_sequences (
    name TEXT NOT NULL PRIMARY KEY,
    last_value BIGINT NOT NULL
);
