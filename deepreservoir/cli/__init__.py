"""The command line: parse, call, print."""

from . import compare, forecast, models, rank, scaffold  # noqa: F401  (each adds its command)
from .base import main

__all__ = ["main"]
