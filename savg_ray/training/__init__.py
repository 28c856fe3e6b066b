"""Learning: clips in, steps of optimisation; nothing here knows Ray."""
