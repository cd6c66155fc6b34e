"""The data that networks read: readers, inputs and batches."""

from .base import CHUNK_BYTES, Batch, Index, Inputs, Reader, Target
from .table import CHUNK_ROWS, Table, TableReader, take_rows
from .time_series import TimeSeries, time_series
from .time_series_reader import TimeSeriesInputs, TimeSeriesReader

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_ROWS",
    "Batch",
    "Index",
    "Inputs",
    "Reader",
    "Table",
    "TableReader",
    "Target",
    "TimeSeries",
    "TimeSeriesInputs",
    "TimeSeriesReader",
    "take_rows",
    "time_series",
]
