"""The command line: parse arguments, call the library, print the results."""

from .base import main

__all__ = ["main"]
