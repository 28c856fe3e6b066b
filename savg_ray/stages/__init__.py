"""Model stages: load once, map batches of clips to rows; what an actor wraps."""
