"""Loaders of data sets: the embedded MNIST, folders of IDX files, tables."""

from initsk.datasets._idx import read_idx
from initsk.datasets._loaders import load_idx, load_mnist, load_table

__all__ = ["load_idx", "load_mnist", "load_table", "read_idx"]
