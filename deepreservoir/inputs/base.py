"""What a network reads: the contracts of batches, inputs and readers.

A reader turns a user's X into inputs; inputs hand out batches; a batch has one array that is
differentiated and side arrays beside it. What is fitted of X (sizes, scaling, a vocabulary) lives
in the reader, and is saved with the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from ..backend import Array, Device

#: Which samples: their numbers, or a slice where they follow each other.
Index = np.ndarray | slice

#: Bytes of inputs and outputs that a pass outside training takes at a time.
CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class Batch:
    """Samples as a network reads them.

    Attributes
    ----------
    x : array
        The one differentiated array, its features last; or integer codes.
    side : mapping of str to array
        Side arrays by name, of any lengths: a batch cannot be sliced.
    """

    x: Array
    side: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What the outputs of a batch are compared with.

    Attributes
    ----------
    y : array
        Its leading axes are those of the outputs.
    n : float
        What the loss is divided by: usually the number of rows. It comes from the host.
    weights : array, optional
        Of each row, with mean one over the training set.
    """

    y: Array
    n: float
    weights: Array | None = None


class Inputs(ABC):
    """Samples, handed out a batch at a time on the device of the network.

    Attributes
    ----------
    side_names : tuple of str
        Names of the side arrays that its batches have.
    dtype : numpy dtype
        Of floating-point arrays.
    device : {"cpu", "cuda"}
    """

    side_names: ClassVar[tuple[str, ...]] = ()
    dtype: np.dtype[Any]
    device: Device

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def take(self, index: Array, step: int | None = None) -> Batch:
        """Return the samples at `index` as a batch of new arrays.

        Parameters
        ----------
        index : array of int, shape (n,)
            On the host, or on the device of the inputs where :attr:`takes_device_index` says so.
        step : int, optional
            Of training, which random augmentation is keyed by.
        """

    @abstractmethod
    def subset(self, index: np.ndarray) -> Self:
        """Return inputs of the samples at `index`."""

    @abstractmethod
    def chunks(self, nbytes: int, sample_bytes: int) -> Iterator[tuple[Index, Batch]]:
        """Yield (index, batch) over all samples, each about `nbytes` at most.

        Parameters
        ----------
        nbytes : int
        sample_bytes : int
            What one sample takes, its outputs included.
        """

    @abstractmethod
    def keys(self) -> list[bytes] | None:
        """Return a key per sample, by which equal samples are merged; None: they never are."""

    @abstractmethod
    def digest(self) -> str:
        """Return a SHA-256 of all samples: what a checkpoint is checked against."""

    @property
    def takes_device_index(self) -> bool:
        """Whether `take` wants its index on the device."""
        return True

    def product_rows(self, index: Any) -> Any:
        """Return the rows that the samples at `index` have in a product with all inputs."""
        return index


class Reader(ABC):
    """From a user's X to inputs."""

    @abstractmethod
    def fit(self, X: Any) -> Self:
        """Learn what a configuration needs to know of X, which has been validated."""

    @abstractmethod
    def read(self, X: Any, dtype: np.dtype[Any] | type, device: Device) -> Inputs:
        """Return X, which has been validated, as inputs.

        Parameters
        ----------
        X : array-like
        dtype : numpy dtype
            Of floating-point arrays.
        device : {"cpu", "cuda"}
        """

    @abstractmethod
    def sizes(self) -> dict[str, Any]:
        """Return what a configuration is made of, such as ``{"n_features": 784}``."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted as JSON data, and as arrays by name."""

    @classmethod
    @abstractmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Return the reader that :meth:`state` describes.

        Raises
        ------
        ValueError
            If the state is not one of such a reader.
        """
