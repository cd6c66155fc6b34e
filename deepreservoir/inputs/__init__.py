"""The data that networks read: readers, inputs and batches."""

from .base import CHUNK_BYTES, Batch, Index, Inputs, Reader, Target
from .irregular_series import IrregularSeries, irregular_series
from .irregular_series_reader import IrregularSeriesInputs, IrregularSeriesReader
from .table import CHUNK_ROWS, Table, TableReader, take_rows

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_ROWS",
    "Batch",
    "Index",
    "Inputs",
    "IrregularSeries",
    "IrregularSeriesInputs",
    "IrregularSeriesReader",
    "Reader",
    "Table",
    "TableReader",
    "Target",
    "irregular_series",
    "take_rows",
]
