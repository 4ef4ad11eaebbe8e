"""Searches: which trainings of a stage are worth their whole length. Pure: knows neither Redis nor Optuna."""
