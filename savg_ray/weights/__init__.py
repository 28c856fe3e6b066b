"""Where weights come from, their checksums, and deterministic filling."""
