"""Pictures: decoded once, cut into crops, put together as batches."""
