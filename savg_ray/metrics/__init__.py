"""Rows to numbers, one metric a file; states of workers merge exactly."""
