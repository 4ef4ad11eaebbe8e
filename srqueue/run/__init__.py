"""The run folder: what the supervisor, the trainer and every reader share."""
