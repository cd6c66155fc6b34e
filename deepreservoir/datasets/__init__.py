"""Named data sets, readers of CSV and .ts files, and chaotic series."""

from .base import Dataset
from .chaos import LYAPUNOV_EXPONENTS, LYAPUNOV_TIMES, lorenz63, lorenz96, rossler
from .delay import mackey_glass
from .halfcheetah import read_trajectories
from .idx import DatasetUnavailable
from .long_table import LongTable, read_long_table
from .maps import henon, multiple_superimposed_oscillators, narma10
from .molecules import ATOM_CATEGORIES, BOND_CATEGORIES, read_smiles, scaffold_split
from .named import DATASETS, load_dataset
from .series import TimeSeries, read_series, read_time_series
from .table import read_table
from .ts_format import japanese_vowels, read_ts

__all__ = [
    "ATOM_CATEGORIES",
    "BOND_CATEGORIES",
    "DATASETS",
    "LYAPUNOV_EXPONENTS",
    "LYAPUNOV_TIMES",
    "Dataset",
    "DatasetUnavailable",
    "LongTable",
    "TimeSeries",
    "henon",
    "japanese_vowels",
    "load_dataset",
    "lorenz63",
    "lorenz96",
    "mackey_glass",
    "multiple_superimposed_oscillators",
    "narma10",
    "read_long_table",
    "read_series",
    "read_smiles",
    "read_table",
    "read_time_series",
    "read_trajectories",
    "read_ts",
    "rossler",
    "scaffold_split",
]
