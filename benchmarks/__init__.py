"""One file a question; results as JSON with the machine and the versions they were measured on."""
