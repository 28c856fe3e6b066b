"""Jobs: streams of actors, and the `savg` command that runs them; no model code here."""
