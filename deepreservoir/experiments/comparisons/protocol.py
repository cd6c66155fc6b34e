"""One way of training for every arm of a comparison."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """How every network of a comparison is shaped and trained.

    The parameters are those of :class:`deepreservoir.DeepReservoirClassifier`. With
    `validation`, a tenth of the training rows is held out and the weights of the best epoch
    are kept; without, training runs through all epochs and keeps the last.

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

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as an estimator takes them."""
        params = asdict(self)
        params["early_stopping"] = params.pop("validation")
        params["n_iter_no_change"] = self.max_iter  # the schedule is run to its end
        params["tol"] = 0.0
        return params


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
