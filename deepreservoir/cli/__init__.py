"""The command line: parse, call, print."""

from . import compare, forecast, models, report, scaffold, sweep  # noqa: F401  (each adds its command)
from .base import main

__all__ = ["main"]
