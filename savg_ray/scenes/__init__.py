"""Clips and recordings of our own making, with exactly known truth."""
