"""From rows to numbers to a report: protocols, feature reuse, results."""
