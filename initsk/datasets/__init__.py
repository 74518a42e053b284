"""Loaders of data sets: the embedded MNIST, folders of IDX files, tables, NPZ files, other libraries' data."""

from initsk.datasets._idx import read_idx
from initsk.datasets._loaders import load_idx, load_mnist
from initsk.datasets._npz import load_npz
from initsk.datasets._objects import is_dataset, to_arrays
from initsk.datasets._preparation import table_preparation
from initsk.datasets._table import TABLE_SUFFIXES, load_table, read_table, separate_target

__all__ = [
    "TABLE_SUFFIXES", "is_dataset", "load_idx", "load_mnist", "load_npz", "load_table", "read_idx", "read_table",
    "separate_target", "table_preparation", "to_arrays",
]  # fmt: skip
