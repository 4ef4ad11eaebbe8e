"""Job records, leases and event streams in Redis; every change of a job is one Lua script."""
