"""Reports of trainings: one HTML file that works offline, plots, tables, and files for other tools."""
