"""The data that networks read: readers, inputs and batches."""

from .augmentation import Augmentation
from .base import CHUNK_BYTES, Batch, Index, Inputs, Reader, Target
from .byte_pairs import BytePairs
from .documents import Codes, check_text, documents_of
from .graph import Graph
from .graph_batches import GraphInputs, GraphReader
from .image_files import ImageFiles, image_folder
from .image_reader import ImageReader, Images
from .irregular_series import IrregularSeries, irregular_series
from .irregular_series_reader import IrregularSeriesInputs, IrregularSeriesReader
from .nodes import NodeInputs, NodeReader, Nodes
from .table import CHUNK_ROWS, Table, TableReader, take_rows
from .texts import TextInputs, TextReader
from .tokens import TokenReader, TokenWindows
from .trajectories import Trajectories, trajectories
from .trajectory_reader import TrajectoryReader, TrajectoryWindows
from .word_pieces import WordPieces

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_ROWS",
    "Augmentation",
    "Batch",
    "BytePairs",
    "Codes",
    "Graph",
    "GraphInputs",
    "GraphReader",
    "ImageFiles",
    "ImageReader",
    "Images",
    "Index",
    "Inputs",
    "IrregularSeries",
    "IrregularSeriesInputs",
    "IrregularSeriesReader",
    "NodeInputs",
    "NodeReader",
    "Nodes",
    "Reader",
    "Table",
    "TableReader",
    "Target",
    "TextInputs",
    "TextReader",
    "TokenReader",
    "TokenWindows",
    "Trajectories",
    "TrajectoryReader",
    "TrajectoryWindows",
    "WordPieces",
    "check_text",
    "documents_of",
    "image_folder",
    "irregular_series",
    "take_rows",
    "trajectories",
]
