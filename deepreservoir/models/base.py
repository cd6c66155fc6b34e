"""Configurations, plain data that builds layers, and the registry of their names in files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

import numpy as np

from ..checks import (
    check_choice,
    check_dropped_share,
    check_integer,
    is_finite_number,
    is_same_class,
    python_value,
)
from ..choices import DtypeName, InitialB, ScalingName, StorageName
from ..layers import AdaptedDense, Adapter, Layer
from ..layers.adapter import Mode
from ..params import DECAYED
from ..scaffold import check_scale, get_family, resolve_storage

ADAPTERS = ("lora", "dora", "full", "none")
SCALINGS = ("lora", "rslora")
B_INITS = ("zeros", "kaiming")
DTYPES = ("float32", "float64")

#: Rank of an adapted layer under rank="auto"; a narrower layer takes its own width.
DEFAULT_RANK = 8

#: Configuration classes by the name that files store.
ARCHITECTURES: dict[str, type[NetworkConfig]] = {}

Config = TypeVar("Config", bound="type[NetworkConfig]")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(ABC):
    """Layers and widths as plain data, which determines every frozen weight together with a seed.

    An architecture is a subclass: a frozen dataclass decorated with :func:`architecture`. It has a
    field or property `n_outputs`, checks its fields in ``__post_init__`` (which calls that of this
    class), and defines :meth:`build` and `sample_shape`.

    Parameters
    ----------
    rank : int or "auto", default="auto"
        Rank of all adapters; ``"auto"`` is 8, or the width of a narrower layer.
    lora_alpha : float, optional
        Numerator of the scaling s; the rank by default.
    scaling : {"lora", "rslora"}, default="lora"
        s = lora_alpha / rank, or lora_alpha / sqrt(rank).
    adapter : {"lora", "dora", "full", "none"}, default="lora"
    scaffold : str, default="normal"
        Family of the frozen weights.
    scaffold_scale : float or "family", default=1.0
    storage : {"auto", "dense", "packed", "streamed", "structured"}, default="auto"
    beta : {"learned", "fixed"} or float, default="learned"
    b_init : {"zeros", "kaiming"}, default="zeros"
    adapter_dropout : float, default=0.0
    dtype : {"float32", "float64"}, default="float32"

    Attributes
    ----------
    name : str
        Name of the architecture in files and messages.
    absent : mapping of str to object
        Fields that a file may lack because they were added after the first version of the
        architecture, each with the value that reproduces the earlier versions.
    large_ranks : {"refuse", "warn"}
        What to do about a rank above min(d_in, d_out) of a layer.
    merges_samples : bool
        Whether equal samples may be merged, unless a layer reads the whole batch
        (`Layer.reads_batch`).
    works_in_shares : bool
        Whether the layers divide their work on the CPU over threads, so that products are divided
        in the same way instead of by the BLAS.
    decayed : collection of str
        Groups of parameters that weight decay applies to.
    prediction_dtype : {"float64", None}
        Type in which predictions are computed on the CPU; None for the network's own.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    Examples
    --------
    >>> from deepreservoir import MLPConfig, Network
    >>> config = MLPConfig(n_features=64, n_outputs=10, hidden_layer_sizes=(32,), rank=4)
    >>> config.sample_shape, config.to_plain()["rank"]
    ((64,), 4)
    >>> Network(config, seed=0).n_trained
    715
    """

    name: ClassVar[str] = ""
    absent: ClassVar[Mapping[str, Any]] = {}
    large_ranks: ClassVar[Literal["refuse", "warn"]] = "refuse"
    merges_samples: ClassVar[bool] = True
    works_in_shares: ClassVar[bool] = False
    decayed: ClassVar[frozenset[str]] = DECAYED
    prediction_dtype: ClassVar[str | None] = None

    rank: int | Literal["auto"] = "auto"
    lora_alpha: float | None = None
    scaling: ScalingName = "lora"
    adapter: Mode = "lora"
    scaffold: str = "normal"
    scaffold_scale: float | Literal["family"] = 1.0
    storage: StorageName = "auto"
    beta: float | Literal["learned", "fixed"] = "learned"
    b_init: InitialB = "zeros"
    adapter_dropout: float = 0.0
    dtype: DtypeName = "float32"

    # Defined by each architecture ---------------------------------------------------------

    if TYPE_CHECKING:  # a field of the subclass, or a property

        @property
        def n_outputs(self) -> int:
            """Width of the outputs."""

    @abstractmethod
    def build(self) -> tuple[Layer, Layer]:
        """Return the body and the head, not yet bound to parameters.

        The head reads the rows that the body outputs; head and loss are run over blocks of rows.
        """

    @property
    @abstractmethod
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample, without the batch axis; costs are counted for it."""

    def resized(self, n_params: int) -> Self | None:
        """Return a configuration of this architecture with at most `n_params` trained parameters.

        It is the control of equal bytes: the best network of that size, such as a narrower one.
        None if even the smallest network is larger, or if the architecture defines no control.
        """
        return None

    def may_merge_samples(self) -> bool:
        """Return whether equal samples of a batch may be one sample of their summed weight."""
        layers = (layer for part in self.build() for layer in part.walk())
        return self.merges_samples and not any(layer.reads_batch for layer in layers)

    def fully_trained(self) -> Self:
        """Return the counterpart that trains every weight."""
        return replace(self, adapter="full")

    def merged(self, dtype: str) -> NetworkConfig | None:
        """Return the configuration of the network whose scaffolds and adapters are merged.

        Its layers have the paths of this one's, and instead of scaffold, A, B, beta and magnitude
        one trained matrix, ``weight``, computed in `dtype`. By it predictions on the host are
        computed. None, as by default, if adapters are never merged.

        Parameters
        ----------
        dtype : {"float32", "float64"}
        """
        return None

    @property
    def width_factor(self) -> float:
        """A factor, at most 1, by which narrow layers reduce the default regularisation."""
        return 1.0

    @property
    def n_params(self) -> int:
        """Number of trained parameters."""
        return sum(s.size for part in self.build() for s in part.slots() if s.trained)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample and its outputs in a pass."""
        return (prod(self.sample_shape) + self.n_outputs) * np.dtype(self.dtype).itemsize

    @property
    def training_sample_bytes(self) -> int:
        """Bytes of what a training step keeps of one sample; 0 where it is not counted."""
        return 0

    # Common to all architectures ------------------------------------------------------------

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.init:
                object.__setattr__(self, each.name, python_value(getattr(self, each.name)))
        check_choice("adapter", self.adapter, ADAPTERS)
        check_choice("scaling", self.scaling, SCALINGS)
        check_choice("b_init", self.b_init, B_INITS)
        check_choice("dtype", self.dtype, DTYPES)
        resolve_storage(get_family(self.scaffold), self.storage)
        check_scale(self.scaffold_scale)
        check_dropped_share("adapter_dropout", self.adapter_dropout)
        alpha = self.lora_alpha
        if alpha is not None and not (is_finite_number(alpha) and alpha > 0):
            raise ValueError(f"lora_alpha must be positive, or None; got {alpha!r}")
        if isinstance(self.beta, str):
            check_choice("beta", self.beta, ("learned", "fixed"))
        elif not is_finite_number(self.beta):
            raise ValueError(
                f"beta must be 'learned', 'fixed' or a finite initial value; got {self.beta!r}"
            )
        if isinstance(self.rank, str):
            if self.rank != "auto":
                raise ValueError(
                    f"rank must be an integer of at least 1, or 'auto'; got {self.rank!r}"
                )
        else:
            check_integer("rank", self.rank, 1)

    def check_ranks(self) -> None:
        """Refuse a rank above min(d_in, d_out) of a layer that has one, if it is to be refused."""
        message = self._large_rank()
        if message is not None and self.large_ranks == "refuse":
            raise ValueError(f"{message}. rank='auto' is 8, or the width of a narrower layer")

    def large_rank_warning(self) -> str | None:
        """Return what a fit warns of where a rank is large and not refused; else None."""
        message = self._large_rank()
        if message is None:
            return None
        return f"{message}. There the adapter has more parameters than the layer's own matrix"

    def _large_rank(self) -> str | None:
        for layer, (d_in, d_out) in self.adapted_shapes.items() if self.rank != "auto" else ():
            if int(self.rank) > min(d_in, d_out):
                return (
                    f"rank must be between 1 and min(d_in, d_out) = {min(d_in, d_out)} for {layer} "
                    f"({d_in} -> {d_out}); got {self.rank}"
                )
        return None

    @property
    def adapted_shapes(self) -> dict[str, tuple[int, int]]:
        """(d_in, d_out) of each layer that has a rank, by its name in messages."""
        layers = [layer for part in self.build() for layer in part.walk()]
        return {
            layer.path: (layer.d_in, layer.d_out)
            for layer in layers
            if isinstance(layer, AdaptedDense) and layer.adapter.low_rank
        }

    def rank_limit(self) -> tuple[int, str] | None:
        """Return the largest rank that every adapted layer allows, and a description of it.

        None if no layer has a rank.
        """
        shapes = self.adapted_shapes
        if not shapes:
            return None
        layer = min(shapes, key=lambda name: min(shapes[name]))
        d_in, d_out = shapes[layer]
        return min(d_in, d_out), f"min(d_in, d_out) of {layer} ({d_in} -> {d_out})"

    def rank_of(self, d_in: int, d_out: int) -> int:
        """Return the rank of an adapted layer of these widths."""
        return min(DEFAULT_RANK, d_in, d_out) if self.rank == "auto" else int(self.rank)

    def adapter_of(self, d_in: int, d_out: int, mode: Mode | None = None) -> Adapter:
        """Return the adapter of a frozen matrix of these widths.

        Parameters
        ----------
        d_in, d_out : int
        mode : {"lora", "dora", "full", "none"}, optional
            Overrides the field `adapter`.
        """
        rank = self.rank_of(d_in, d_out)
        alpha = float(rank) if self.lora_alpha is None else float(self.lora_alpha)
        return Adapter(
            mode=self.adapter if mode is None else mode,
            rank=rank,
            scaling=alpha / rank if self.scaling == "lora" else alpha / rank**0.5,
            beta=1.0 if isinstance(self.beta, str) else float(self.beta),
            learn_beta=self.beta != "fixed",
            b_init=self.b_init,
            dropout=self.adapter_dropout,
        )

    def scaffold_of(self, path: str) -> tuple[str, float | Literal["family"], StorageName]:
        """Return family, scale and storage of the frozen weights of a layer.

        Parameters
        ----------
        path : str
            Path of the layer.
        """
        return self.scaffold, self.scaffold_scale, self.storage

    def on_zero_scaffold(self) -> Self:
        """Return the configuration with frozen weights of zero, so that the adapter acts alone."""
        return replace(self, scaffold="zero", scaffold_scale=1.0, storage="auto")

    def to_plain(self) -> dict[str, Any]:
        """Return the configuration as JSON data: its fields, and the name of the architecture.

        Raises
        ------
        ValueError
            If the class is not registered, since no file could then be loaded.
        """
        registered = ARCHITECTURES.get(self.name)
        if registered is None or not is_same_class(registered, type(self)):
            raise ValueError(
                f"{type(self).__qualname__} is not registered as an architecture, so that its "
                "files could not be loaded; decorate the class with @architecture and a name"
            )
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {"architecture": self.name, **plain}


def architecture(name: str) -> Callable[[Config], Config]:
    """Return a class decorator that registers a configuration under the name stored in files.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable
        A decorator of subclasses of :class:`NetworkConfig`. It sets the attribute `name` of a class
        and returns it.

    Raises
    ------
    ValueError
        If another class is registered under the name.

    Examples
    --------
    >>> from deepreservoir.models import ARCHITECTURES
    >>> ARCHITECTURES["mlp"].__name__
    'MLPConfig'
    """

    def register(cls: Config) -> Config:
        known = ARCHITECTURES.get(name)
        # A module that is run again, as in a notebook, defines its class again.
        if known is not None and not is_same_class(known, cls):
            raise ValueError(
                f"the architecture {name!r} is already registered, by {known.__module__}."
                f"{known.__qualname__}; give {cls.__qualname__} another name"
            )
        cls.name = name
        ARCHITECTURES[name] = cls
        return cls

    return register
