"""Moving all records of a queue to another server."""
