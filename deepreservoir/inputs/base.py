"""The data that networks read: the interfaces of batches, inputs and readers.

A reader turns a user's X into inputs, and inputs supply batches. A batch has one array that is
differentiated, and any number of side arrays. Whatever is fitted to X (sizes, scaling, a
vocabulary) belongs to the reader and is saved with the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from ..backend import Array, Device

#: Indices of samples, or a slice if the samples are consecutive.
Index = np.ndarray | slice

#: Size in bytes, with inputs and outputs, of the chunks that are processed outside training.
CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class Batch:
    """A batch of samples, as a network reads it.

    Attributes
    ----------
    x : array
        The differentiated array, with the features on its last axis; or integer codes.
    side : mapping of str to array
        Side arrays by name. Their lengths may differ, so a batch cannot be sliced.

    Examples
    --------
    >>> Batch(np.zeros((2, 5, 3)), {"kept": np.ones((2, 5), bool)}).x.shape
    (2, 5, 3)
    """

    x: Array
    side: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """The target of a batch.

    Attributes
    ----------
    y : array
        Its leading axes are those of the outputs.
    n : float
        Divisor of the loss, usually the number of rows; a number on the host.
    weights : array, optional
        Weight of each row, with mean one over the training set.

    Examples
    --------
    >>> Target(np.array([0, 2, 1]), n=3).weights is None
    True
    """

    y: Array
    n: float
    weights: Array | None = None


class Inputs(ABC):
    """Samples, supplied one batch at a time on the device of the network.

    Attributes
    ----------
    side_names : tuple of str
        Names of the side arrays in each batch.
    dtype : numpy dtype
        Type of floating-point arrays.
    device : {"cpu", "cuda", "cuda:N"}
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
            On the host, or on the device of the inputs if :attr:`takes_device_index` is true.
        step : int, optional
            Training step, which random augmentation is keyed by.
        """

    @abstractmethod
    def subset(self, index: np.ndarray) -> Self:
        """Return inputs with only the samples at `index`."""

    def chunks(self, nbytes: int, sample_bytes: int) -> Iterator[tuple[Index, Batch]]:
        """Yield (index, batch) over all samples, each of at most about `nbytes`.

        Parameters
        ----------
        nbytes : int
        sample_bytes : int
            Bytes of one sample, including its outputs.
        """
        size = max(1, nbytes // max(1, sample_bytes))
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield slice(start, stop), self.take(np.arange(start, stop))

    @abstractmethod
    def keys(self) -> list[bytes] | None:
        """Return one key per sample, by which equal samples are merged, or None to merge none."""

    @abstractmethod
    def digest(self) -> str:
        """Return a SHA-256 of all samples, by which a checkpoint recognises them."""

    @property
    def takes_device_index(self) -> bool:
        """Whether `take` expects its index on the device."""
        return True

    @property
    def n_product_rows(self) -> int:
        """Number of rows of a product with all inputs, by default one per sample."""
        return len(self)

    def product_rows(self, index: Any) -> Any:
        """Return the rows of a product with all inputs that belong to the samples at `index`."""
        return index


class Reader(ABC):
    """Turns a user's X into inputs.

    A reader is fitted to the X of a training set, and saved with the model. A subclass defines
    :meth:`fit`, :meth:`read`, :meth:`sizes`, :meth:`state` and :meth:`from_state`.

    Examples
    --------
    >>> from deepreservoir.inputs import TableReader
    >>> reader = TableReader().fit(np.zeros((100, 8)))
    >>> reader.sizes()
    {'n_features': 8}
    >>> inputs = reader.read(np.ones((5, 8)), np.float32, "cpu")
    >>> inputs.take(np.array([0, 4])).x.shape
    (2, 8)
    >>> again = TableReader.from_state(*reader.state())
    >>> again.sizes() == reader.sizes()
    True
    """

    @abstractmethod
    def fit(self, X: Any) -> Self:
        """Learn the sizes of X, which has been validated, and whatever else reading it needs."""

    @property
    def width(self) -> int | None:
        """Number of features of one sample, or of a step of it; None if it has no such number."""
        return self.sizes().get("n_features")

    def fit_training(self, inputs: Inputs) -> None:
        """Learn statistics, such as a scaling, from the samples that are trained on.

        It is called once, before training: without samples of weight zero, and without those held
        out for early stopping. The inputs come from :meth:`read`; inputs read before, such as the
        held-out ones, must follow. By default there is nothing to learn.
        """
        return

    @abstractmethod
    def read(self, X: Any, dtype: np.dtype[Any] | type, device: Device) -> Inputs:
        """Return X, which has been validated, as inputs.

        Parameters
        ----------
        X : array-like
        dtype : numpy dtype
            Type of floating-point arrays.
        device : {"cpu", "cuda", "cuda:N"}
        """

    @abstractmethod
    def sizes(self) -> dict[str, Any]:
        """Return the sizes that a configuration is built from, such as ``{"n_features": 784}``."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the fitted state: JSON data, and arrays by name."""

    @classmethod
    @abstractmethod
    def from_state(cls, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Return the reader that :meth:`state` describes.

        Raises
        ------
        ValueError
            If the state does not belong to such a reader.
        """
