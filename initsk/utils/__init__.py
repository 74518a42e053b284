"""Helpers without a subject of their own: validation, random streams, threads, files."""
