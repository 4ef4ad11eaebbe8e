"""The producer's side of the queue: the Celery app, its routes, and the verbs of a user."""
