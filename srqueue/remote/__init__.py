"""Run folders and data sets in an object store or on another machine, by fsspec URLs."""
