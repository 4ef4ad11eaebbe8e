"""The Training pages inside Flower: they read the store, and run folders that are on this machine."""
