"""Reader of Parquet files, which looks at the metadata before pandas reads the values."""

from pathlib import Path

import pandas as pd

from initsk.datasets._header import check_expansion, check_names
from initsk.datasets._unpack import named_faults
from initsk.exceptions import DataFormatError
from initsk.utils.files import open_regular

_BYTES_PER_VALUE = 8


def read_parquet(path: Path) -> pd.DataFrame:
    """Return the table of a Parquet file; the names of its columns are texts.

    Raises
    ------
    DataFormatError
        If the file cannot be read; the message names the file.
    """
    with named_faults(path), open_regular(path) as raw:
        try:
            from pyarrow import parquet

            metadata = parquet.ParquetFile(raw).metadata
            check_names(path, metadata.schema.to_arrow_schema().names)
            expanded = metadata.num_rows * metadata.num_columns * _BYTES_PER_VALUE
            check_expansion(path, expanded, path.stat().st_size)
            raw.seek(0)
            frame = pd.read_parquet(raw)
        except (DataFormatError, MemoryError, OSError):
            raise
        except Exception as error:  # pyarrow and pandas raise errors of many classes for damaged metadata
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DataFormatError(f"{path}: cannot be read ({reason})") from error
    return frame.set_axis([str(name) for name in frame.columns], axis=1)
