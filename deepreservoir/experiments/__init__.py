"""How two ways of training are compared fairly: arms, runner, results, report."""

from .arms import ARMS, Record
from .protocol import MNIST_MEDIUM, MNIST_MEDIUM_PAPER, Protocol, protocol_for
from .report import save_picture, save_table, table
from .results import Comparison, Summary
from .runner import check_arms, checked_ranks, compare

__all__ = [
    "ARMS",
    "MNIST_MEDIUM",
    "MNIST_MEDIUM_PAPER",
    "Comparison",
    "Protocol",
    "Record",
    "Summary",
    "check_arms",
    "checked_ranks",
    "compare",
    "protocol_for",
    "save_picture",
    "save_table",
    "table",
]
