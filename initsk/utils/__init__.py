"""Helpers for validation, random streams, torch's settings, languages and files."""
