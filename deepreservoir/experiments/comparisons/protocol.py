"""One way of training for every arm of a comparison."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """How every network of a comparison is shaped and trained.

    The parameters are those of :class:`deepreservoir.DeepReservoirClassifier`; an estimator of
    another architecture takes those that it has, and its own in `others`. With `validation`, a
    tenth of the training samples is held out and the weights of the best epoch are kept; without,
    training runs through all epochs and keeps the last.

    Examples
    --------
    >>> protocol_for("mnist").hidden_layer_sizes
    (512, 256, 128, 64)
    """

    hidden_layer_sizes: tuple[int, ...] = (256, 128)
    max_iter: int = 60
    learning_rate_init: float = 3e-3
    schedule: str = "cosine"
    weight_decay: float = 1e-2
    batch_size: int = 128
    dropout: float = 0.0
    lora_alpha: float | None = None
    scaling: str = "lora"
    scaffold: str = "normal"
    validation: bool = False
    others: tuple[tuple[str, Any], ...] = ()

    def parameters(self, names: Collection[str] | None = None) -> dict[str, Any]:
        """Return the parameters as an estimator takes them.

        Parameters
        ----------
        names : collection of str, optional
            The parameters that the estimator has; the others are left out.
        """
        params = asdict(self) | dict(self.others)
        del params["others"]
        params["early_stopping"] = params.pop("validation")
        params["n_iter_no_change"] = self.max_iter  # the schedule is run to its end
        params["tol"] = 0.0
        return {k: v for k, v in params.items() if names is None or k in names}

    def changed(self, **parameters: Any) -> Protocol:
        """Return this protocol with other values, also of parameters that are not fields."""
        own = {field.name for field in fields(self)}
        others = dict(self.others) | {k: v for k, v in parameters.items() if k not in own}
        mine = {k: v for k, v in parameters.items() if k in own}
        return replace(self, **mine, others=tuple(others.items()))

    def to_plain(self) -> dict[str, Any]:
        """Return the protocol as plain data; `others` only where there are any."""
        plain = asdict(self)
        if not self.others:
            del plain["others"]
        return plain


#: The paper's MNIST protocol (section 3 of its experiments), with our learning rate and s = 1.
MNIST_MEDIUM = Protocol(
    hidden_layer_sizes=(512, 256, 128, 64),
    max_iter=20,
    dropout=0.1,
    validation=True,
)

#: The same with the paper's learning rate and alpha = 1. Of the two scalings that it gives,
#: s = alpha / sqrt(rank) comes closest to its table; benchmarks/mnist.py runs the others too.
MNIST_MEDIUM_PAPER = replace(
    MNIST_MEDIUM, learning_rate_init=1e-3, lora_alpha=1.0, scaling="rslora"
)

_PROTOCOLS = {
    "digits": Protocol(max_iter=40),
    "mnist": MNIST_MEDIUM,
    "fashion_mnist": MNIST_MEDIUM,
}


def protocol_for(dataset: str) -> Protocol:
    """Return the protocol of a data set by name, or a general one for a table."""
    return _PROTOCOLS.get(dataset, Protocol())
