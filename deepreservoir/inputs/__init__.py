"""The data that networks read: readers, inputs and batches."""

from .base import CHUNK_BYTES, Batch, Index, Inputs, Reader, Target
from .table import CHUNK_ROWS, Table, TableReader, take_rows

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
    "take_rows",
]
