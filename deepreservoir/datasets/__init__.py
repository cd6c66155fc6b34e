"""Real data by name, and tables of a user's own."""

from .base import Dataset
from .idx import DatasetUnavailable
from .named import DATASETS, load_dataset
from .table import read_table

__all__ = ["DATASETS", "Dataset", "DatasetUnavailable", "load_dataset", "read_table"]
