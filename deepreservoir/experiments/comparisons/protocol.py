"""The protocol: how all arms of a comparison are trained."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from ...estimators import DeepReservoirClassifier, DeepReservoirRegressor

#: Parameters that are not fields of a protocol, with their values in the paper's networks.
PAPER: dict[str, Any] = {
    "activation": "relu",
    "bias": "paper",
    "adapter_dropout": 0.0,
    "label_smoothing": 0.0,
    "warmup": 0.0,
    "ema_decay": None,
}


@dataclass(frozen=True)
class Protocol:
    """The architecture and the training parameters of all networks of a comparison.

    Each field except `validation` and `others` has the meaning that it has in
    :class:`deepreservoir.DeepReservoirClassifier`. An estimator of another architecture uses the
    fields that it supports. Parameters that are not fields have the paper's values, :data:`PAPER`,
    unless `others` changes them.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(256, 128)
        Widths of the hidden layers.
    max_iter : int, default=60
        Number of epochs.
    learning_rate_init : float, default=3e-3
        Learning rate before the schedule.
    schedule : {"constant", "cosine", "exponential"}, default="cosine"
    weight_decay : float or "auto", default=1e-2
    batch_size : int or "auto", default=128
    dropout : float, default=0.0
    lora_alpha : float, optional
        Numerator of the scaling of the adapters; by default the rank.
    scaling : {"lora", "rslora"}, default="lora"
    scaffold : str, default="normal"
        A name in :data:`deepreservoir.scaffold.FAMILIES`.
    validation : bool, default=False
        Whether a tenth of the training samples is held out and the weights of the best epoch are
        kept. Otherwise, the last weights are kept. Training runs for `max_iter` epochs either way.
    others : tuple of (str, object), default=()
        Names and values of the estimator's other parameters. :meth:`changed` fills it.

    Examples
    --------
    >>> protocol_for("mnist").hidden_layer_sizes
    (512, 256, 128, 64)
    >>> quick = Protocol(max_iter=5).changed(dropout=0.1, activation="gelu")
    >>> quick.max_iter, quick.dropout, quick.others
    (5, 0.1, (('activation', 'gelu'),))
    """

    hidden_layer_sizes: tuple[int, ...] = (256, 128)
    max_iter: int = 60
    learning_rate_init: float = 3e-3
    schedule: str = "cosine"
    weight_decay: float | Literal["auto"] = 1e-2
    batch_size: int | Literal["auto"] = 128
    dropout: float = 0.0
    lora_alpha: float | None = None
    scaling: str = "lora"
    scaffold: str = "normal"
    validation: bool = False
    others: tuple[tuple[str, Any], ...] = ()

    def parameters(self, names: Collection[str] | None = None) -> dict[str, Any]:
        """Return the parameters as keyword arguments of an estimator.

        Parameters
        ----------
        names : collection of str, optional
            Names of the parameters that the estimator supports; all others are omitted.
        """
        params = PAPER | asdict(self) | dict(self.others)
        del params["others"]
        params["early_stopping"] = params.pop("validation")
        params["n_iter_no_change"] = self.max_iter  # never stop before the schedule ends
        params["tol"] = 0.0
        return {k: v for k, v in params.items() if names is None or k in names}

    def changed(self, **parameters: Any) -> Protocol:
        """Return a copy with changed values; parameters that are not fields go into `others`."""
        names = {field.name for field in fields(self)}
        changed_fields = {k: v for k, v in parameters.items() if k in names}
        others = dict(self.others) | {k: v for k, v in parameters.items() if k not in names}
        return replace(self, **changed_fields, others=tuple(others.items()))

    def to_plain(self) -> dict[str, Any]:
        """Return the protocol as plain data, without `others` if it is empty."""
        plain = asdict(self)
        if not self.others:
            del plain["others"]
        return plain


#: The paper's MNIST protocol (section 3 of its experiments) with a learning rate of 3e-3 and s = 1.
MNIST_MEDIUM = Protocol(
    hidden_layer_sizes=(512, 256, 128, 64),
    max_iter=20,
    dropout=0.1,
    validation=True,
)

#: The same with the paper's learning rate and alpha = 1. Of the two scalings that the paper gives,
#: s = alpha / sqrt(rank) is closest to its table; benchmarks/mnist.py runs the others too.
MNIST_MEDIUM_PAPER = replace(
    MNIST_MEDIUM, learning_rate_init=1e-3, lora_alpha=1.0, scaling="rslora"
)

#: Closed-form networks on PhysioNet 2012: the reference implementation's settings, but 12 epochs, a
#: tenth of the records for validation, and class weights that follow from the classes.
PHYSIONET = Protocol(
    max_iter=12,
    learning_rate_init=2e-3,
    schedule="exponential",
    weight_decay=4e-6,
    dropout=0.2,
    validation=True,
    others=(("clip", 5.0), ("class_weight", "balanced"), ("scoring", "roc_auc")),
)

#: The protocol of citation graphs: every step uses all labels, and the last weights are kept.
CITATIONS = Protocol(
    hidden_layer_sizes=(64,),
    max_iter=150,
    learning_rate_init=1e-2,
    weight_decay=5e-4,
    batch_size="auto",
    dropout=0.5,
    others=(("optimizer", "adam"), ("batch_norm", False)),
)

#: The protocol of OGBN-Arxiv, which is that of OGB's reference and of the paper.
ARXIV = CITATIONS.changed(
    hidden_layer_sizes=(256, 256),
    max_iter=500,
    schedule="constant",
    weight_decay=0.0,
    batch_norm=True,
)

#: The protocol of MolHIV, reduced in width and depth.
MOLECULES = Protocol(
    max_iter=10,
    learning_rate_init=1e-3,
    schedule="constant",
    weight_decay=0.0,
    batch_size=64,
    dropout=0.2,
    others=(
        ("width", 64),
        ("depth", 3),
        ("node_categories", (119, 5, 12, 12, 10, 6, 6, 2, 2)),
        ("edge_categories", (5, 6, 2)),
    ),
)

#: Plain-20 on CIFAR-10: epochs and optimiser of the paper, and what else it leaves open from He et
#: al. (2016).
CIFAR10 = Protocol(
    max_iter=150,
    batch_size=128,
    others=(("depth", 20), ("augmentation", ("crop", "flip"))),
)

#: The same reduced to Plain-8 and 8 epochs, which are too few for crops.
CIFAR10_5000 = CIFAR10.changed(max_iter=8, batch_size=64, depth=8, augmentation=("flip",))

#: A small Vision Transformer on 12 species of flowers, at 32 pixels.
FLOWERS = Protocol(
    max_iter=30,
    learning_rate_init=1e-3,
    weight_decay=0.05,
    batch_size=32,
    others=(
        ("patch_size", 4),
        ("width", 64),
        ("depth", 4),
        ("heads", 4),
        ("warmup", 0.1),
        ("label_smoothing", 0.1),
        ("augmentation", ("crop", "flip")),
    ),
)

#: The same at 64 pixels, for a GPU.
FLOWERS_64 = FLOWERS.changed(width=192, depth=6, heads=6)

#: ViT-B/16 on 102 species with the paper's settings.
FLOWERS_102 = FLOWERS.changed(
    max_iter=300,
    learning_rate_init=2e-4,
    patch_size=16,
    width=768,
    depth=12,
    heads=12,
    batch_size=128,
    gradient_accumulation=2,
    ema_decay=0.9997,
    augmentation=("rand_augment", "mixup", "cutmix", "erasing"),
    test_time_flip=True,
)

#: The protocol of language models: one pass over the text.
LANGUAGE = Protocol(
    max_iter=1,
    weight_decay=0.1,
    batch_size=8,
    others=(("vocabulary_size", 4096), ("max_grad_norm", 1.0)),
)

#: The paper's encoder of reviews. Its early stopping after 7 epochs without improvement becomes the
#: choice of the best of 30 epochs.
REVIEWS = Protocol(
    max_iter=30,
    learning_rate_init=5e-4,
    batch_size=32,
    dropout=0.1,
    validation=True,
    others=(
        ("width", 256),
        ("depth", 3),
        ("heads", 4),
        ("max_length", 512),
        ("warmup", 0.1),
        ("max_grad_norm", 1.0),
        ("adapter_dropout", 0.05),
    ),
)

#: The same reduced in width, in tokens that are read, and in epochs.
REVIEWS_5000 = REVIEWS.changed(
    max_iter=5, learning_rate_init=3e-3, width=64, max_length=128, adapter_dropout=0.0
)

#: Decision Transformers on 36 trajectories of HalfCheetah, reduced in width, depth and context.
HALFCHEETAH = Protocol(
    max_iter=60,
    weight_decay=1e-4,
    batch_size=64,
    others=(("context", 10), ("width", 64), ("depth", 2), ("heads", 1), ("max_grad_norm", 1.0)),
)

#: The small Decision Transformer on D4RL's expert trajectories, with the paper's settings.
HALFCHEETAH_EXPERT = HALFCHEETAH.changed(
    max_iter=120,
    learning_rate_init=1e-4,
    schedule="constant",
    dropout=0.1,
    adapter_dropout=0.05,
    warmup=0.05,
    context=20,
    width=128,
    depth=3,
    max_grad_norm=0.25,
    return_scale=6000.0,
    validation=True,
)

_PROTOCOLS = {
    "digits": Protocol(max_iter=40),
    "friedman1": Protocol(max_iter=40),
    "mnist": MNIST_MEDIUM,
    "fashion_mnist": MNIST_MEDIUM,
    "physionet2012": PHYSIONET,
    "physionet2012_minutes": PHYSIONET,
    "cora": CITATIONS,
    "cora_60_20_20": CITATIONS,
    "citeseer": CITATIONS,
    "pubmed": CITATIONS,
    "arxiv": ARXIV,
    "molhiv": MOLECULES,
    "molhiv_8000": MOLECULES,
    "cifar10": CIFAR10,
    "cifar10_5000": CIFAR10_5000,
    "flowers12": FLOWERS,
    "flowers12_64": FLOWERS_64,
    "flowers102": FLOWERS_102,
    "imdb": REVIEWS,
    "imdb_5000": REVIEWS_5000,
    "imdb_text": LANGUAGE,
    "halfcheetah": HALFCHEETAH,
    "halfcheetah_expert": HALFCHEETAH_EXPERT,
    "wikitext2": LANGUAGE,
    "wikitext103": LANGUAGE,
    "wikitext_validation": LANGUAGE,
}


# References that named data sets have beside those of every comparison.
_OWN_ARMS = {
    "label_propagation": ("cora", "cora_60_20_20", "citeseer", "pubmed", "arxiv"),
    "fingerprints": ("molhiv", "molhiv_8000"),
    "trigram": ("imdb_text", "wikitext2", "wikitext103", "wikitext_validation"),
    "behaviour_cloning": ("halfcheetah", "halfcheetah_expert"),
}


def references_for(dataset: str) -> tuple[str, ...]:
    """Return the arms that a named data set has beside those of every comparison.

    Examples
    --------
    >>> references_for("cora"), references_for("digits")
    (('label_propagation',), ())
    """
    return tuple(arm for arm, names in _OWN_ARMS.items() if dataset in names)


def default_protocol(kind: Any = None) -> Protocol:
    """Return the protocol of data sets without one of their own: the defaults of an estimator.

    Parameters
    ----------
    kind : type, optional
        Class of the estimators; by default that of tables.

    Examples
    --------
    >>> from deepreservoir import DeepReservoirClassifier
    >>> default_protocol().max_iter == DeepReservoirClassifier().max_iter
    True
    """
    own = DeepReservoirRegressor().get_params() | DeepReservoirClassifier().get_params()
    if kind not in (None, DeepReservoirRegressor, DeepReservoirClassifier):
        own = kind().get_params(deep=False)
    names = {each.name for each in fields(Protocol)} | set(PAPER)
    return Protocol().changed(**{name: own[name] for name in sorted(names & own.keys())})


def protocol_for(dataset: str, kind: Any = None) -> Protocol:
    """Return the protocol of a named data set, or the defaults of a class of estimators.

    Parameters
    ----------
    dataset : str
        Name of a data set. A name without a protocol of its own gets the defaults of `kind`.
    kind : type, optional
        Class of the estimators; by default that of tables,
        :class:`deepreservoir.DeepReservoirClassifier`.

    Returns
    -------
    Protocol

    Examples
    --------
    >>> from deepreservoir.experiments import protocol_for
    >>> protocol_for("digits").max_iter, protocol_for("my_table").max_iter
    (40, 150)
    """
    return _PROTOCOLS.get(dataset) or default_protocol(kind)
