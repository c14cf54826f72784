"""People: the `tradewind` command, the local stack and the report of a run."""
