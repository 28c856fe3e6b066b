"""Ray workers: one model a file, pinned to (a share of) a device; no mathematics here."""
