"""Several devices for one job: each computes the gradient of its part of every batch."""
