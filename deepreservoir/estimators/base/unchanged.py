"""A fit that fails leaves the estimator as it was: fitted to the earlier data, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from ...backend import moved

# Attributes whose contents change while training continues.
_CHANGED_IN_PLACE = ("_state", "_learner")


@contextmanager
def unchanged_on_failure(model: Any, in_place: bool = False) -> Iterator[None]:
    """Restore all attributes of an estimator if the block raises.

    Parameters
    ----------
    model : estimator
    in_place : bool, default=False
        Whether the block continues a training, which changes a network or a readout in place;
        these are then copied before.
    """
    before = dict(vars(model))
    arrays, copies = [], {}
    if in_place:
        if "network_" in before:
            network = before["network_"]
            arrays = [(array, array.copy()) for array in (network.theta, network.buffers)]
        copies = {name: deepcopy(before[name]) for name in _CHANGED_IN_PLACE if name in before}
    try:
        yield
    except BaseException:
        for array, values in arrays:
            array[:] = values
        if "reservoir_" in before:  # a copy is on the host
            copies = moved(copies, before["reservoir_"].device)
        vars(model).clear()
        vars(model).update(before, **copies)
        raise
