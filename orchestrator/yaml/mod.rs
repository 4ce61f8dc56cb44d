//! Text-preserving YAML.
