"""Getting data, and looking at it before training."""
