"""Spectra of scaffolds, compared with random matrix theory, and of their adapters.

Scaffolds are only accessed through products, in float64, so that streamed, packed or structured
ones are never materialised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import scipy.special

from ..backend import to_device, to_host
from ..layers import AdaptedDense
from ..scaffold import Scaffold
from .subject import network_of

# Up to this smaller dimension the Gram matrix is computed; above it, Lanczos uses products.
_GRAM_LIMIT = 1024

# Number of rows of the Gram matrix that are computed at a time.
_GRAM_ROWS = 256


@dataclass(frozen=True)
class ScaffoldSpectrum:
    """Size and norms of a frozen matrix W.

    Attributes
    ----------
    family : str
    shape : (int, int)
        (d_out, d_in).
    sigma : float
        Standard deviation of the entries.
    largest : float
        Largest singular value.
    frobenius : float
        Frobenius norm.

    Examples
    --------
    >>> spectrum = ScaffoldSpectrum("normal", (512, 256), 1 / 16, largest=2.37, frobenius=22.6)
    >>> round(spectrum.predicted, 3), round(spectrum.ratio, 3)
    (2.414, 0.982)
    """

    family: str
    shape: tuple[int, int]
    sigma: float
    largest: float
    frobenius: float

    @property
    def predicted(self) -> float:
        """The largest singular value for independent entries: sigma (sqrt d_in + sqrt d_out)."""
        return self.sigma * sum(map(math.sqrt, self.shape))

    @property
    def ratio(self) -> float:
        """`largest` divided by `predicted`; NaN for a scaffold of zeros."""
        return _ratio(self.largest, self.predicted)


@dataclass(frozen=True)
class AdapterSpectrum:
    """The singular values of a low-rank path s B A.

    Attributes
    ----------
    singular_values : ndarray of float64, shape (rank,)
        In descending order.

    Examples
    --------
    >>> spectrum = AdapterSpectrum(np.array([2.0, 2.0, 0.0]))
    >>> round(spectrum.effective_rank, 3), spectrum.stable_rank
    (2.0, 2.0)
    """

    singular_values: np.ndarray

    @property
    def largest(self) -> float:
        """The largest singular value."""
        return float(self.singular_values[0])

    @property
    def frobenius(self) -> float:
        """The Frobenius norm."""
        return float(np.linalg.norm(self.singular_values))

    @property
    def effective_rank(self) -> float:
        """The exponential of the entropy of the normalised singular values.

        Between 1 (one direction dominates) and the rank (all are equal); 0 if the path is zero
        (Roy and Vetterli, The effective rank, EUSIPCO 2007).
        """
        if not self.largest:
            return 0.0
        share = self.singular_values / self.singular_values.sum()
        return float(np.exp(scipy.special.entr(share).sum()))

    @property
    def stable_rank(self) -> float:
        """Squared Frobenius norm over squared largest singular value; 0 if the path is zero."""
        if not self.largest:
            return 0.0
        return float(((self.singular_values / self.largest) ** 2).sum())


@dataclass(frozen=True)
class LayerSpectrum:
    """Spectra of the two parts of a layer ``beta W + s B A``.

    With DoRA, these are the parts of V, whose rows are then rescaled to the trained magnitudes.

    Attributes
    ----------
    path : str
    beta : float
        Scale of the scaffold, learned or fixed.
    scaffold : ScaffoldSpectrum
        Spectrum of W, without beta.
    adapter : AdapterSpectrum or None
        Spectrum of s B A; None if the layer has no low-rank path (``adapter="none"``).

    Examples
    --------
    >>> from deepreservoir import MLPConfig, Network
    >>> (layer,) = spectra_of(Network(MLPConfig(8, 3, (16,), rank=2), seed=0))
    >>> layer.path, layer.beta, layer.norm_ratio  # B starts at zero
    ('layers.0', 1.0, 0.0)
    """

    path: str
    beta: float
    scaffold: ScaffoldSpectrum
    adapter: AdapterSpectrum | None

    @property
    def norm_ratio(self) -> float:
        """The largest singular value of s B A over that of beta W; 0 without a low-rank path.

        Infinite if only the scaffold is zero, and NaN if both are zero.
        """
        path = 0.0 if self.adapter is None else self.adapter.largest
        return _ratio(path, abs(self.beta) * self.scaffold.largest)

    @property
    def frobenius_ratio(self) -> float:
        """The Frobenius norm of s B A over that of beta W, with the same exceptions."""
        path = 0.0 if self.adapter is None else self.adapter.frobenius
        return _ratio(path, abs(self.beta) * self.scaffold.frobenius)


def spectra_of(model: Any) -> tuple[LayerSpectrum, ...]:
    """Return the spectra of all layers with a frozen scaffold, in order.

    Parameters
    ----------
    model : Network, fitted deep estimator, or pipeline that ends in one

    Returns
    -------
    tuple of LayerSpectrum
        Includes the head if it has a scaffold; empty if every weight is trained.

    Raises
    ------
    TypeError
        If the model has no network.

    Examples
    --------
    >>> from deepreservoir import MLPConfig, Network
    >>> network = Network(MLPConfig(256, 10, (512,), rank=4, b_init="kaiming"), seed=0)
    >>> (layer,) = spectra_of(network)
    >>> print(f"{layer.scaffold.largest:.2f} found, {layer.scaffold.predicted:.2f} predicted")
    2.37 found, 2.41 predicted
    >>> len(layer.adapter.singular_values)
    4
    """
    network = network_of(model)
    adapted = network.adapted
    return tuple(_layer(adapted[path]) for path in network.betas())


def _layer(layer: AdaptedDense) -> LayerSpectrum:
    adapter = None
    if layer.adapter.low_rank:
        adapter = adapter_spectrum(to_host(layer.A), to_host(layer.B), layer.adapter.scaling)
    return LayerSpectrum(layer.path, layer.beta_value, scaffold_spectrum(layer.scaffold), adapter)


def adapter_spectrum(A: np.ndarray, B: np.ndarray, scaling: float = 1.0) -> AdapterSpectrum:
    """Return the singular values of ``scaling B A`` from its factors.

    With B = Q R and A^T = P S, these are the singular values of R S^T, which is (rank, rank), so
    the product of the factors is never materialised.

    Parameters
    ----------
    A : ndarray, shape (rank, d_in)
    B : ndarray, shape (d_out, rank)
        The rank must be at most min(d_in, d_out).
    scaling : float, default=1.0
        The non-negative factor s.

    Returns
    -------
    AdapterSpectrum

    Examples
    --------
    >>> A, B = np.eye(2, 5), np.diag([3.0, 1.0])
    >>> adapter_spectrum(A, B, 0.5).singular_values
    array([1.5, 0.5])
    """
    _, right = np.linalg.qr(A.T.astype(np.float64))  # (rank, rank)
    _, left = np.linalg.qr(B.astype(np.float64))  # (rank, rank)
    return AdapterSpectrum(scaling * np.linalg.svd(left @ right.T, compute_uv=False))


def scaffold_spectrum(scaffold: Scaffold) -> ScaffoldSpectrum:
    """Return the norms of frozen weights, and the prediction of random matrix theory.

    For independent entries with standard deviation sigma, the predicted largest singular value is
    ``sigma (sqrt d_in + sqrt d_out)`` (paper, arXiv 2604.08749, section 6; Marchenko and Pastur,
    1967); the actual value approaches it from below as the matrix grows. The prediction does not
    hold for families with dependent entries, such as `orthogonal`, `hadamard` or `kronecker`, and
    heavy-tailed families exceed it.

    Parameters
    ----------
    scaffold : Scaffold
        With any kind of storage.

    Returns
    -------
    ScaffoldSpectrum
        `largest` is accurate to about ten digits.

    Examples
    --------
    >>> from deepreservoir import ScaffoldSpec, make_scaffold
    >>> spectrum = scaffold_spectrum(make_scaffold(ScaffoldSpec("orthogonal", (64, 64), 0, "a")))
    >>> print(f"{spectrum.largest:.2f} found, {spectrum.predicted:.2f} predicted")
    1.00 found, 2.00 predicted
    """
    total = squares = 0.0
    for _, tile in scaffold.row_tiles():
        total += float(tile.sum(dtype=np.float64))
        squares += float(np.einsum("ij,ij->", tile, tile, dtype=np.float64))
    count = math.prod(scaffold.shape)
    variance = squares / count - (total / count) ** 2
    return ScaffoldSpectrum(
        family=scaffold.spec.family,
        shape=scaffold.shape,
        sigma=math.sqrt(max(variance, 0.0)),
        largest=_largest(scaffold) if squares else 0.0,
        frobenius=math.sqrt(squares),
    )


def _largest(scaffold: Scaffold) -> float:
    """Return the largest singular value of weights that are not all zero."""
    d_out, d_in = scaffold.shape
    size = min(d_out, d_in)

    def gram(x: np.ndarray) -> np.ndarray:
        """Return x W^T W, or x W W^T if that is smaller: (n, size) -> (n, size)."""
        rows = to_device(x, scaffold.device)
        if d_in <= d_out:
            return to_host(scaffold.rmatmul(scaffold.matmul(rows)))
        return to_host(scaffold.matmul(scaffold.rmatmul(rows)))

    if size <= _GRAM_LIMIT:
        starts = range(0, size, _GRAM_ROWS)
        matrix = np.vstack([gram(np.eye(min(_GRAM_ROWS, size - k), size, k)) for k in starts])
        top = scipy.linalg.eigvalsh(matrix, subset_by_index=(size - 1, size - 1))
    else:
        operator = scipy.sparse.linalg.LinearOperator(
            (size, size), matvec=lambda v: gram(v.reshape(1, size))[0], dtype=np.float64
        )
        # The singular values of random weights are dense at the edge, so Lanczos needs a large
        # subspace. Without v0, the start vector would come from a global random generator.
        start = np.ones(size) / math.sqrt(size)
        top = scipy.sparse.linalg.eigsh(
            operator, k=1, which="LA", v0=start, ncv=96, tol=1e-10, return_eigenvectors=False
        )
    return math.sqrt(float(top[0]))


def _ratio(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return math.inf if part else math.nan
