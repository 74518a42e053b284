"""Executing the runs of a comparison."""
