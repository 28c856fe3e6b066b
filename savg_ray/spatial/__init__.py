"""Where a sound is heard and where its source is seen."""
