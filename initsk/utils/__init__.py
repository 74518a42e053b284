"""Helpers for validation, random streams, torch's settings, reports and files."""
