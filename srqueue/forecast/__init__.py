"""Forecasts from curves: how good a run will be, and when it ends. Pure: knows neither Redis nor files."""
