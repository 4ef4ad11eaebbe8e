"""Optimizer, learning rate and moving average of the weights."""
