"""The command line: parse arguments, call the library, print the results."""

# Importing a module registers its commands.
from . import compare, forecast, models, rank, report, scaffold, sweep  # noqa: F401
from .base import main

__all__ = ["main"]
