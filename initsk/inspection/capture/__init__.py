"""Capturing the values that a module computes."""
