"""The stack of one machine: embedded server, worker, Flower."""
