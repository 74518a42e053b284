"""Capture of the values that a module computes, the choice of layers, and the collection of statistics."""
