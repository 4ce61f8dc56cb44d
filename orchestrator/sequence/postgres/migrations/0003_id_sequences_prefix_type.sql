CREATE TABLE IF NOT EXISTS id_sequences (
    prefix TEXT NOT NULL,
    type_code TEXT NOT NULL,
    next_number BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (prefix, type_code)
);
