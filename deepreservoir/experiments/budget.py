"""Trainings whose number of epochs is part of a protocol."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.exceptions import ConvergenceWarning


@contextmanager
def given_epochs() -> Iterator[None]:
    """Do not warn of a loss that is still falling: all arms have the epochs of the protocol.

    Nor of an interruption, which ends the comparison: no network of it is left to be used.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "training was interrupted", UserWarning)
        yield
