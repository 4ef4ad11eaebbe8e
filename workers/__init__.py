"""What a GPU machine runs: the Celery worker, the trainer, and the tools that need pixels."""
