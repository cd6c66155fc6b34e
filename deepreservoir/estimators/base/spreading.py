"""The division of a training among workers, as parameters of `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...backend import resolve_device
from ...checks import check_integer
from ...training import Resample, Spread
from .training_plan import WHOLE_SET, batch_size_of, resampling


def spread_of(params: Mapping[str, Any], parts: Any, workers: Any, cluster: Any) -> Spread | None:
    """Return how a training is divided, or None if none of the three is given.

    Parameters
    ----------
    params : mapping
        The estimator's parameters, which have been checked.
    parts, workers, cluster : as in fit

    Raises
    ------
    ValueError
        If they do not agree with each other or with the estimator's parameters.
    """
    if parts is None and workers is None and cluster is None:
        return None
    for name, value in (("parts", parts), ("workers", workers)):
        if value is not None:
            check_integer(name, value, 1)
    if cluster is not None:
        if not isinstance(cluster, str):
            raise ValueError(
                "cluster must be the address of a Dask scheduler, such as tcp://127.0.0.1:8786; "
                f"got {cluster!r}"
            )
        if workers is not None:
            raise ValueError(
                f"workers={workers} are processes on this machine, and cluster={cluster!r} has "
                "workers of its own: give one of the two"
            )
        if parts is None:
            raise ValueError(
                "cluster needs parts, the number of parts of a batch: the result depends on it, "
                "and must not depend on how many workers the cluster has"
            )
    parts = int(workers if parts is None else parts)
    workers = 1 if workers is None else int(workers)
    if workers > parts:
        raise ValueError(
            f"workers={workers} is more than parts={parts}, so that some would have nothing to do"
        )
    _check(dict(params), parts)
    return Spread(parts, workers, cluster)


def _check(params: dict[str, Any], parts: int) -> None:
    """Raise if a parameter does not go with batches in parts."""
    if params["optimizer"] == "lbfgs":
        raise ValueError(
            "optimizer='lbfgs' has no batches that could be cut into parts; set parts, workers and "
            "cluster to None, or use another optimizer"
        )
    size = batch_size_of(params)
    if size != WHOLE_SET and size % parts:
        fitting = [str(n) for n in range(1, min(size, 64) + 1) if size % n == 0]
        raise ValueError(
            f"parts={parts} does not divide the batch of {size} samples; use one of "
            f"{', '.join(fitting)}, or another batch_size"
        )
    if params.get("gradient_accumulation", 1) != 1:
        raise ValueError(
            "gradient_accumulation and parts both cut a batch into parts: set "
            f"gradient_accumulation=1; got {params['gradient_accumulation']!r}"
        )
    if resampling(params) not in (None, Resample("epoch")):
        raise ValueError(
            f"resample={params['resample']!r} splits or repeats batches itself, so that they "
            "cannot be cut into parts; set resample to None or 'epoch'"
        )
    if resolve_device(params["device"]) != "cpu":
        raise ValueError(
            f"parts of a batch are computed on the CPU; set device='cpu'; got "
            f"device={params['device']!r}"
        )
