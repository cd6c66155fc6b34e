"""The command line: parse, call, print."""

# Each adds its command.
from . import compare, forecast, models, rank, report, scaffold, sweep  # noqa: F401
from .base import main

__all__ = ["main"]
