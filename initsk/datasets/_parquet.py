"""Reader of Parquet files, which looks at the metadata before pandas reads the values."""

from pathlib import Path

import pandas as pd

from initsk.datasets._header import check_expansion, check_names
from initsk.datasets._unpack import named_faults
from initsk.exceptions import DataFormatError
from initsk.utils.files import open_regular
from initsk.utils.parquet import frame_of, open_parquet
from initsk.utils.words import reason_of

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
            content = raw.read()
            file = open_parquet(content)
            check_names(path, file.schema_arrow.names)
            expanded = file.metadata.num_rows * file.metadata.num_columns * _BYTES_PER_VALUE
            check_expansion(path, expanded, len(content))
            frame = frame_of(file)
        except (DataFormatError, MemoryError, OSError):
            raise
        except ImportError as error:
            raise DataFormatError(f"{path}: Parquet files need pyarrow; pip install 'initsk[parquet]'") from error
        except Exception as error:  # pyarrow and pandas raise errors of many classes for damaged metadata
            raise DataFormatError(f"{path}: cannot be read ({reason_of(error)})") from error
    return frame.set_axis([str(name) for name in frame.columns], axis=1)
