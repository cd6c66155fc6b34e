"""A network: config + seed + adapter, bound on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .backend import Array, Device, array_module, device_module, to_device, to_host
from .inputs.table import Rows
from .layers import AdaptedDense, Layer, Residual
from .layers.base import Cache, Train
from .models import MLPConfig
from .params import ParamSet
from .scaffold import Scaffold, ScaffoldSpec, check_seed, make_scaffold, resolve_storage


def scaffold_specs(config: MLPConfig, root: Layer, seed: int) -> list[ScaffoldSpec]:
    """Return what the layers of a configuration need drawn, without drawing it."""
    return [
        ScaffoldSpec(config.scaffold, request.shape, seed, request.path, config.scaffold_scale)
        for request in root.scaffold_requests()
    ]


class Network:
    """The three parts of a model, made to work together.

    Parameters
    ----------
    config : MLPConfig
        Which layers, which widths.
    seed : int
        Seed of the scaffold: every frozen weight follows from it and the config.
    init_seed : int, default=0
        Seed of the start values of what is trained.
    theta : ndarray, shape (n_trained,), optional
        The adapter: all trained numbers. Drawn from `init_seed` if not given.
    device : {"cpu", "cuda"}
    scaffolds : mapping of str to Scaffold, optional
        Frozen weights that are in memory already, by path; those that are the same as this
        network's are shared and not drawn again.

    Attributes
    ----------
    theta, grad : array, shape (n_trained,)
        Trained numbers and their gradient.
    params : ParamSet
        Where each named parameter lies in them.
    scaffolds : dict of str to Scaffold
        Frozen weights by path of the layer.

    Raises
    ------
    ValueError
        If the seed is negative or `theta` does not fit the config.

    Examples
    --------
    >>> network = Network(MLPConfig(n_features=4, n_outputs=3, hidden_layer_sizes=(16,)), seed=0)
    >>> network.n_trained, network.n_scaffold
    (132, 64)
    >>> network.outputs(np.ones((2, 4), np.float32)).shape
    (2, 3)
    """

    def __init__(
        self,
        config: MLPConfig,
        seed: int,
        *,
        init_seed: int = 0,
        theta: Array | None = None,
        device: Device = "cpu",
        scaffolds: Mapping[str, Scaffold] | None = None,
    ) -> None:
        self.config = config
        self.seed = check_seed(seed, "scaffold_seed")
        self.device: Device = device
        self.dtype = np.dtype(config.dtype)
        self._build(scaffolds or {})
        xp = device_module(device)
        flat = xp.empty(self.params.size, self.dtype)
        self._bind(flat, xp.zeros_like(flat))
        if theta is None:
            self.root.initialise(check_seed(init_seed, "init_seed"))
        else:
            self.params.views(theta)  # refuses a wrong length
            flat[:] = to_device(theta, device)

    def _build(self, ready: Mapping[str, Scaffold]) -> None:
        self.root = self.config.build()
        self.params = ParamSet(self.root.slots())
        paths = {slot.path for slot in self.params.slots}
        self.scaffolds: dict[str, Scaffold] = {}
        for spec in scaffold_specs(self.config, self.root, self.seed):
            # Where W itself is trained, the scaffold is only its start: it is not kept.
            read_once = f"{spec.path}.weight" in paths and spec.addressable
            storage = resolve_storage(
                spec.definition, "streamed" if read_once else self.config.storage
            )
            known = ready.get(spec.path)
            if known is None or not known.serves(spec, storage, self.dtype, self.device):
                known = make_scaffold(spec, storage, self.dtype, self.device)
            self.scaffolds[spec.path] = known
        self._frozen = [path for path in self.scaffolds if f"{path}.weight" not in paths]

    def _bind(self, theta: Array, grad: Array) -> None:
        self.theta, self.grad = theta, grad
        self.root.bind(self.params.views(theta), self.params.views(grad), self.scaffolds)

    def to(self, device: Device) -> Network:
        """Return this network on a device; itself, if it is there."""
        if device == self.device:
            return self
        return Network(self.config, self.seed, theta=to_host(self.theta), device=device)

    def with_scaffold(self, seed: int, scaffolds: Mapping[str, Scaffold] | None = None) -> Network:
        """Return a network of the same config on another scaffold, sharing this adapter.

        The two share `theta` and `grad`, without a copy: training one trains the other.

        Parameters
        ----------
        seed : int
        scaffolds : mapping of str to Scaffold, optional
            Frozen weights of that seed that are in memory already, by path.
        """
        other = object.__new__(Network)
        other.config, other.device, other.dtype = self.config, self.device, self.dtype
        other.seed = check_seed(seed, "scaffold_seed")
        other._build(scaffolds or {})
        other._bind(self.theta, self.grad)
        return other

    # Passes --------------------------------------------------------------------------

    def forward(
        self, x: Array, train: Train = False, base: Array | None = None
    ) -> tuple[Array, Cache]:
        """Return outputs (n, n_outputs) and, in training, the cache for `backward`."""
        return self.root.forward(x, train, base)

    def backward(self, doutputs: Array, cache: Cache) -> None:
        """Add the gradient of the trained numbers into `grad`."""
        self.root.backward(doutputs, cache)

    def outputs(
        self, X: Any, dtype: np.dtype | type | None = None, base: Array | None = None
    ) -> Array:
        """Return the outputs for all rows of X, in chunks of bounded size.

        Parameters
        ----------
        X : array, CSR matrix or Rows, shape (n, n_features)
        dtype : numpy dtype, optional
            Type to compute in; the network's own unless given. In float64 a row's outputs do
            not show, in float32 digits, which rows it was computed with.
        base : array, shape (n, d_out), optional
            The product of the first frozen weights with X, where it has been made.

        Returns
        -------
        array, shape (n, n_outputs)
        """
        rows = X
        if not isinstance(X, Rows):
            rows = Rows(X, self.dtype if dtype is None else np.dtype(dtype), self.device)
        out = array_module(self.theta).empty((len(rows), self.config.n_outputs), rows.dtype)
        for where, chunk in rows.chunks():
            out[where] = self.forward(chunk, base=None if base is None else base[where])[0]
        return out

    @property
    def hidden_scaffolds(self) -> dict[str, Scaffold]:
        """The frozen weights before the head, by path."""
        return {path: self.scaffolds[path] for path in self._frozen if path != "head"}

    @property
    def kinds(self) -> list[type[Layer]]:
        """The kinds of the layers, first to last."""
        return [type(layer) for layer in self.root.layers]

    # The first layer's frozen product --------------------------------------------------

    @property
    def first_scaffold(self) -> Scaffold | None:
        """The scaffold that reads the input, where there is one and it stays frozen."""
        return frozen_scaffold(self.root.layers[0])

    # What it is ------------------------------------------------------------------------

    @property
    def n_trained(self) -> int:
        """Number of trained numbers."""
        return self.params.size

    @property
    def n_scaffold(self) -> int:
        """Number of frozen weights in use: zero where every weight is trained."""
        shapes = [self.scaffolds[path].shape for path in self._frozen]
        return sum(d_out * d_in for d_out, d_in in shapes)

    def named_parameters(self) -> dict[str, Array]:
        """Return views on the trained arrays, by path."""
        return self.params.views(self.theta)

    @property
    def adapted(self) -> dict[str, AdaptedDense]:
        """The layers that adapt a frozen matrix, by path."""
        found: dict[str, AdaptedDense] = {}
        layers: list[Layer] = [self.root]
        while layers:
            layer = layers.pop(0)
            layers.extend(layer.children)
            if isinstance(layer, AdaptedDense):
                found[layer.path] = layer
        return found

    def betas(self) -> dict[str, float]:
        """Return the scale of each scaffold, by path of its layer."""
        adapted = self.adapted
        return {path: adapted[path].beta_value for path in self._frozen}

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each frozen scaffold's weights, by path of its layer."""
        return {path: self.scaffolds[path].digest() for path in self._frozen}

    # Pickling: views would lose their aliasing, and frozen weights need not travel -------

    def __getstate__(self) -> dict[str, Any]:
        return {
            "config": self.config,
            "seed": self.seed,
            "theta": to_host(self.theta),
            "digests": self.digests(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["config"], state["seed"], theta=state["theta"])  # type: ignore[misc]
        self.check_digests(state["digests"])

    def check_digests(self, digests: Mapping[str, str]) -> None:
        """Refuse frozen weights that are not those of `digests`, which a pickle came with.

        Parameters
        ----------
        digests : mapping of str to str
            What :meth:`digests` returned where the pickle was made.

        Raises
        ------
        ValueError
            If a scaffold has another digest here.
        """
        for path, expected in digests.items():
            found = self.scaffolds[path].digest()
            if found != expected:
                raise ValueError(
                    f"the scaffold of {path} cannot be rebuilt here: expected digest {expected}, "
                    f"found {found}. It was drawn by another version of deepreservoir"
                    + (
                        ", or by another LAPACK"
                        if self.scaffolds[path].spec.construction.needs_linear_algebra
                        else ""
                    )
                )


def frozen_scaffold(layer: Layer) -> Scaffold | None:
    """Return the scaffold that a layer reads its input with, where it has one that is frozen."""
    inner = layer.layer if isinstance(layer, Residual) else layer
    if isinstance(inner, AdaptedDense) and inner.adapter.mode != "full":
        return inner.scaffold
    return None


def outputs_side_by_side(
    networks: Sequence[Network], x: Array, parts: Sequence[slice]
) -> list[Array]:
    """Return the outputs of several networks on one scaffold, each for rows of its own.

    The frozen products of the hidden layers are made once, for all rows.

    Parameters
    ----------
    networks : sequence of Network
        Of the same kinds of layers, sharing their hidden scaffolds.
    x : array, shape (n, n_features)
    parts : sequence of slice
        The rows of each network, which together are all.

    Returns
    -------
    list of array, each (rows of the network, its n_outputs)
    """
    *hidden, heads = zip(*(network.root.layers for network in networks), strict=True)
    for layers in hidden:
        if not layers[0].slots():  # nothing of a network's own: all rows at once
            x = layers[0].forward(x)[0]
            continue
        scaffold = frozen_scaffold(layers[0])
        base = None if scaffold is None else scaffold.matmul(x)
        x = array_module(x).concatenate(
            [
                layer.forward(x[part], base=None if base is None else base[part])[0]
                for layer, part in zip(layers, parts, strict=True)
            ]
        )
    return [head.forward(x[part])[0] for head, part in zip(heads, parts, strict=True)]
