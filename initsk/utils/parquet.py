"""Reading Parquet in one thread and from memory; pyarrow's other threads have crashed after the end of a read."""

from typing import Any

import pandas as pd


def open_parquet(content: bytes) -> Any:
    """Return pyarrow's ParquetFile of the content of a file; only its metadata are read.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    from pyarrow import BufferReader, parquet

    return parquet.ParquetFile(BufferReader(content), pre_buffer=False, page_checksum_verification=True)


def frame_of(file: Any) -> pd.DataFrame:
    """Return the table of a ParquetFile, with the types that pandas wrote."""
    frame: pd.DataFrame = file.read(use_threads=False, use_pandas_metadata=True).to_pandas(use_threads=False)
    return frame
