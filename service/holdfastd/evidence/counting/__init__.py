"""Counting orphan rows: one file per strategy, one that chooses, one that runs."""
