"""What a workdir holds: the record, the log, checkpoints as trained networks, packed networks, events."""
