"""The cost of a model: by the paper's formulas, and as counted for this library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

from ..container import read
from ..inputs import CHUNK_ROWS
from ..layers import Layer, Sequential
from ..network import Network
from ..params import ParamSet
from .counting import multiply_adds
from .formulas import SEED_BYTES, PaperCost, paper_cost
from .subject import network_of


@dataclass(frozen=True)
class CountedWork:
    """Multiply-adds of this library's matrix products, for a model and its twin.

    A multiply-add is two floating-point operations. Elementwise work (activations, biases, norms,
    scales, losses, the optimiser) and validation are not counted.

    Attributes
    ----------
    step, full_step : int
        One training step of a full batch.
    projection : int
        The first frozen product with all rows, computed once per training; 0 if it is not kept.
    training, full_training : int
        The whole training, including the projection.
    prediction, full_prediction : int
        The outputs of all rows, once.

    Examples
    --------
    >>> from deepreservoir import MLPConfig, Network
    >>> network = Network(MLPConfig(8, 3, (16,), rank=2), seed=0)
    >>> counted = cost_of(network, rows=100, epochs=2, batch_size=50).counted
    >>> counted.full_prediction == 100 * (8 * 16 + 16 * 3)
    True
    """

    step: int
    full_step: int
    projection: int
    training: int
    full_training: int
    prediction: int
    full_prediction: int


@dataclass(frozen=True)
class HeldBytes:
    """Bytes that this library keeps in memory for a model, without data and activations.

    Attributes
    ----------
    theta : int
        The trained parameters.
    grad : int
        Their gradient.
    scaffold : int
        The frozen weights, in their storage.
    moments : int
        The moments of the optimiser, during training.
    projection : int
        The first frozen product with all rows, during training; 0 if it is not kept.

    Examples
    --------
    >>> held = HeldBytes(theta=400, grad=400, scaffold=4000, moments=800, projection=0)
    >>> held.network, held.training
    (4800, 5600)
    """

    theta: int
    grad: int
    scaffold: int
    moments: int
    projection: int

    @property
    def network(self) -> int:
        """Bytes that remain after training: theta, its gradient and the scaffold."""
        return self.theta + self.grad + self.scaffold

    @property
    def training(self) -> int:
        """Total bytes during training."""
        return self.network + self.moments + self.projection


@dataclass(frozen=True)
class Cost:
    """The cost of a model.

    Attributes
    ----------
    n_trained, n_frozen : int
        Number of trained parameters, and of frozen weights in use.
    n_dense : int
        Number of parameters of the fully trained twin.
    paper : PaperCost
    counted : CountedWork
    held : HeldBytes
    stored : int
        Bytes that a file needs: 8 for the seed, if there is one, and the trained parameters in
        the network's type.
    file : int or None
        Size of the saved file in bytes, if one was given.

    Examples
    --------
    >>> from deepreservoir import MLPConfig, Network
    >>> cost = cost_of(Network(MLPConfig(8, 3, (16,), rank=2), seed=0), rows=100, epochs=2)
    >>> cost.n_trained, cost.n_frozen, cost.stored  # 8 bytes of the seed, 4 per parameter
    (100, 128, 408)
    """

    n_trained: int
    n_frozen: int
    n_dense: int
    paper: PaperCost
    counted: CountedWork
    held: HeldBytes
    stored: int
    file: int | None


def cost_of(
    model: Any,
    rows: int,
    epochs: int,
    batch_size: int = 128,
    *,
    projected: bool = True,
    moments: int = 2,
    file: str | os.PathLike[str] | None = None,
) -> Cost:
    """Return the cost of a model and of its fully trained twin.

    Work is counted and memory is added up; nothing is trained or timed. A step is one pass of a
    batch on a single scaffold.

    The twin has the same layers with every weight trained and with hidden biases, as in the
    estimators. A model without frozen weights is its own twin.

    Parameters
    ----------
    model : Network, fitted deep estimator, or pipeline that ends in one
    rows, epochs : int
        Number of rows and of epochs of the training that is counted.
    batch_size : int, default=128
        Rows per step; the last step of an epoch takes the remainder.
    projected : bool, default=True
        Whether the first frozen product with all rows is kept, as estimators do up to 1 GiB
        (``projection_cache``). It is never kept for a single epoch, or if scaffolds are resampled.
    moments : int, default=2
        Number of vectors that the optimiser keeps: 2 for Adam and AdamW, 1 for SGD.
    file : str or path, optional
        File of the saved model, whose size is reported.

    Returns
    -------
    Cost

    Raises
    ------
    TypeError
        If the model has no network.
    ValueError
        If a number is out of range, or the file belongs to another model.
    ArtifactError
        If the file is damaged.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> from deepreservoir import MLPConfig, Network
    >>> network = Network(MLPConfig(784, 10, (512, 256, 128, 64), rank=8), seed=0)
    >>> cost = cost_of(network, rows=54_000, epochs=20)
    >>> cost.n_trained, cost.n_frozen, cost.n_dense
    (21774, 573440, 575050)
    >>> print(f"{cost.paper.training_flops / cost.paper.full_training_flops:.3f} by the paper")
    0.703 by the paper
    >>> print(f"{cost.counted.training / cost.counted.full_training:.3f} as counted")
    0.320 as counted
    """
    network = network_of(model)
    rows, epochs = _whole("rows", rows, 1), _whole("epochs", epochs, 1)
    batch = min(_whole("batch_size", batch_size, 1), rows)
    moments = _whole("moments", moments, 0)
    twin = _twin(network)
    widths = network.body.frozen_widths() if projected and epochs > 1 else {}
    n_trained, n_frozen = network.n_trained, network.n_scaffold
    n_dense = ParamSet(slot for slot in twin.slots() if slot.trained).size
    theta_bytes = int(network.theta.nbytes)
    return Cost(
        n_trained=n_trained,
        n_frozen=n_frozen,
        n_dense=n_dense,
        paper=paper_cost(rows * epochs, n_trained, n_frozen, n_dense),
        counted=_counted(network, twin, list(widths), rows, epochs, batch),
        held=HeldBytes(
            theta=theta_bytes,
            grad=int(network.grad.nbytes),
            scaffold=sum(scaffold.nbytes for scaffold in network.scaffolds.values()),
            moments=moments * theta_bytes,
            projection=rows * sum(widths.values()) * network.dtype.itemsize,
        ),
        stored=theta_bytes + (SEED_BYTES if n_frozen else 0),
        file=None if file is None else _file_bytes(network, Path(file)),
    )


def _whole(name: str, value: Any, at_least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise ValueError(f"{name} must be an integer of at least {at_least}; got {value!r}")
    return int(value)


def _twin(network: Network) -> Layer:
    """Return the layers of the fully trained twin, not bound to parameters."""
    config = network.config.fully_trained() if network.n_scaffold else network.config
    return Sequential(config.build())


def _counted(
    network: Network, twin: Layer, paths: list[str], rows: int, epochs: int, batch: int
) -> CountedWork:
    sample = (1, *network.config.sample_shape)
    count, full = multiply_adds(network.root, sample), multiply_adds(twin, sample)
    steps = epochs * -(-rows // batch)
    scaffolds = network.scaffolds  # products of other paths are sums, not products with a scaffold
    saved = sum(scaffolds[path].multiply_adds() for path in paths if path in scaffolds)
    return CountedWork(
        step=count.training(batch) - batch * saved,
        full_step=full.training(batch),
        projection=rows * saved,
        training=count.training(epochs * rows, steps) - (epochs - 1) * rows * saved,
        full_training=full.training(epochs * rows),
        prediction=count.prediction(rows, -(-rows // CHUNK_ROWS)),
        full_prediction=full.prediction(rows),
    )


def _file_bytes(network: Network, path: Path) -> int:
    tensors = read(path).tensors
    for slot in network.params.slots:
        shape = tensors[slot.path].shape if slot.path in tensors else "none"
        if shape != slot.shape:
            raise ValueError(
                f"{path} is the file of another model: expected a tensor {slot.path!r} of shape "
                f"{slot.shape}; got {shape}"
            )
    return path.stat().st_size
