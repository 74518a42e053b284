"""Storing the runs of a comparison: the SQLite store and files of tables."""
