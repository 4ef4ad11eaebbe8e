"""Campaigns: from one file to many specs. Pure: knows neither Redis nor Celery."""
