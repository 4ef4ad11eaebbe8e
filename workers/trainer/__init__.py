"""The trainer: one process that works on one run folder, with or without a queue."""
