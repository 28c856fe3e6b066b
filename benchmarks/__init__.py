"""Measurements of speed and cost; each module is a command."""
