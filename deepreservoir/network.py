"""A network: a configuration, a seed and an adapter, bound on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .backend import Array, Device, array_module, device_module, to_device, to_host
from .inputs import Inputs
from .kernels import Precision
from .layers import AdaptedDense, Layer, Sequential
from .merged import Merged, can_be_merged
from .models import NetworkConfig
from .params import ParamSet, check_paths
from .passes import Passes
from .scaffold import Scaffold, ScaffoldSpec, check_seed, make_scaffold, resolve_storage


def scaffold_specs(config: NetworkConfig, root: Layer, seed: int) -> list[ScaffoldSpec]:
    """Return the specifications of the scaffolds that the layers need, without drawing them."""
    requests = root.scaffold_requests()
    check_paths("scaffold", [request.path for request in requests])
    specs = []
    for request in requests:
        family, scale, _ = config.scaffold_of(request.path)
        if not isinstance(scale, str) and request.gain != 1:
            scale *= request.gain
        specs.append(ScaffoldSpec(family, request.shape, seed, request.path, scale))
    return specs


class Network(Passes):
    """A configuration, a seed and an adapter, bound into a network on a device.

    Parameters
    ----------
    config : NetworkConfig
        The layers and their widths.
    seed : int
        Seed of the scaffold, which determines every frozen weight together with the config.
    init_seed : int, default=0
        Seed of the initial values of the trained parameters.
    theta : ndarray, shape (n_trained,), optional
        The adapter: all trained parameters. Drawn from `init_seed` by default.
    buffers : ndarray, shape (n_buffers,), optional
        Running statistics. At their initial values by default.
    device : {"cpu", "cuda", "cuda:N"}
    scaffolds : mapping of str to Scaffold, optional
        Frozen weights that are already in memory, by path; those that match this network's are
        shared instead of being drawn again.

    Attributes
    ----------
    body, head : Layer
        The head reads the rows that the body outputs.
    theta, grad : array, shape (n_trained,)
        Trained parameters and their gradient.
    buffers : array, shape (n_buffers,)
        Arrays that layers keep without training them, such as running statistics; they belong to
        this scaffold alone.
    params, buffer_params : ParamSet
        Layout of the named parameters in `theta`, and of the named buffers in `buffers`.
    scaffolds : dict of str to Scaffold
        Frozen weights by path of the layer.
    precision : {"float32", "tf32", "bfloat16"}
        Precision of the products on a device, which can be set; "float32" at first.
    attached : bool
        Whether the frozen weights belong to another model in memory. There may be many networks on
        them, so that none keeps merged weights of its own (:meth:`for_predictions`).

    Raises
    ------
    ValueError
        If the seed is negative, `theta` does not fit the config, or two layers have the same path.

    Examples
    --------
    >>> from deepreservoir import MLPConfig
    >>> network = Network(MLPConfig(n_features=4, n_outputs=3, hidden_layer_sizes=(16,)), seed=0)
    >>> network.n_trained, network.n_scaffold
    (132, 64)
    >>> network.outputs(np.ones((2, 4), np.float32)).shape
    (2, 3)
    """

    attached = False
    _merged: Merged | None = None

    def __init__(
        self,
        config: NetworkConfig,
        seed: int,
        *,
        init_seed: int = 0,
        theta: Array | None = None,
        buffers: Array | None = None,
        device: Device = "cpu",
        scaffolds: Mapping[str, Scaffold] | None = None,
    ) -> None:
        self.config = config
        self.seed = check_seed(seed, "scaffold_seed")
        self.device: Device = device
        self.precision: Precision = "float32"
        self.dtype = np.dtype(config.dtype)
        self._build(scaffolds or {})
        flat = device_module(device).empty(self.params.size, self.dtype)
        self._bind(flat, device_module(device).zeros_like(flat))
        # Buffers are always initialised first; given ones then overwrite the initial values.
        start = check_seed(init_seed, "init_seed")
        if theta is None:
            self.root.initialise(start)
        else:
            self.params.views(theta)  # raises if the length is wrong
            self._initialise_buffers()
            flat[:] = to_device(theta, device)
        if buffers is not None:
            self.buffer_params.views(buffers)
            self.buffers[:] = to_device(buffers, device)

    def _build(self, available: Mapping[str, Scaffold]) -> None:
        self.body, self.head = self.config.build()
        self.root = Sequential([self.body, self.head])
        slots = self.root.slots()
        self.params = ParamSet(slot for slot in slots if slot.trained)
        self.buffer_params = ParamSet(slot for slot in slots if not slot.trained)
        check_paths("array", [slot.path for slot in slots])
        frozen = {request.path: request.frozen for request in self.root.scaffold_requests()}
        self.scaffolds: dict[str, Scaffold] = {}
        for spec in scaffold_specs(self.config, self.root, self.seed):
            # Where W itself is trained, the scaffold only initialises it and is not kept.
            read_once = not frozen[spec.path] and spec.addressable
            chosen = "streamed" if read_once else self.config.scaffold_of(spec.path)[2]
            storage = resolve_storage(spec.definition, chosen)
            scaffold = available.get(spec.path)
            if scaffold is None or not scaffold.serves(spec, storage, self.dtype, self.device):
                scaffold = make_scaffold(spec, storage, self.dtype, self.device)
            self.scaffolds[spec.path] = scaffold
        self._frozen = [path for path in self.scaffolds if frozen[path]]
        body = {request.path for request in self.body.scaffold_requests()}
        self._hidden = [path for path in self._frozen if path in body]

    def _bind(self, theta: Array, grad: Array) -> None:
        self.theta, self.grad = theta, grad
        self.buffers = array_module(theta).empty(self.buffer_params.size, self.dtype)
        values = self.params.views(theta) | self.buffer_params.views(self.buffers)
        self.root.bind(values, self.params.views(grad), self.scaffolds)

    def _initialise_buffers(self) -> None:
        views = self.buffer_params.views(self.buffers)
        for slot in self.buffer_params.slots:
            views[slot.path][...] = 0.0 if slot.init is None else slot.init

    def to(self, device: Device) -> Network:
        """Return this network on a device: the network itself if it is already there."""
        if device == self.device:
            return self
        theta, buffers = to_host(self.theta), to_host(self.buffers)
        other = Network(self.config, self.seed, theta=theta, buffers=buffers, device=device)
        other.precision = self.precision
        return other

    def with_scaffold(self, seed: int, scaffolds: Mapping[str, Scaffold] | None = None) -> Network:
        """Return a network of the same config on another scaffold, sharing this adapter.

        The two share `theta` and `grad` without a copy: training one trains the other. Buffers
        are statistics of one scaffold, so the new network starts with a copy of them.

        Parameters
        ----------
        seed : int
        scaffolds : mapping of str to Scaffold, optional
            Frozen weights of that seed that are already in memory, by path.
        """
        return self._sharing(self.config, seed, scaffolds or {})

    def without_scaffold(self) -> Network:
        """Return a network with the same adapter on frozen weights of zero, sharing `theta`."""
        return self._sharing(self.config.on_zero_scaffold(), self.seed, {})

    def for_another_thread(self) -> Network:
        """Return a network on the same frozen weights and the same `theta`, without a copy.

        Gradient and buffers are its own: both networks can compute gradients at the same time.
        """
        own = array_module(self.grad).zeros_like(self.grad)
        return self._sharing(self.config, self.seed, self.scaffolds, own)

    def _sharing(
        self,
        config: NetworkConfig,
        seed: int,
        scaffolds: Mapping[str, Scaffold],
        grad: Array | None = None,
    ) -> Network:
        other = object.__new__(Network)
        other.config, other.device, other.dtype = config, self.device, self.dtype
        other.precision = self.precision
        other.seed = check_seed(seed, "scaffold_seed")
        other._build(scaffolds)
        other._bind(self.theta, self.grad if grad is None else grad)
        other.buffers[:] = self.buffers
        return other

    # Predictions ------------------------------------------------------------------------

    def for_predictions(self, dtype: np.dtype[Any] | type) -> Passes:
        """Return what computes predictions in `dtype`, with the outputs of this network.

        On the host, dense frozen weights are merged with their adapter into one matrix per layer,
        if the configuration allows it (:meth:`NetworkConfig.merged`) and these matrices take at
        most 64 MiB. They are kept until the parameters have other bits, which every call checks;
        neither pickles nor files hold them. Otherwise this network itself is returned.

        Parameters
        ----------
        dtype : numpy dtype

        Returns
        -------
        Passes
            The outputs differ from those of this network by rounding in `dtype`.

        Examples
        --------
        >>> from deepreservoir import MLPConfig
        >>> network = Network(MLPConfig(n_features=4, n_outputs=3), seed=0)
        >>> merged = network.for_predictions(np.float64)
        >>> x = np.ones((2, 4))
        >>> np.allclose(merged.outputs(x), network.outputs(x, np.float64), rtol=1e-12)
        True
        """
        dtype = np.dtype(dtype)
        if self.device != "cpu" or self.attached:
            return self
        flat = (self.theta, self.buffers)
        merged = self._merged  # read once: another thread may replace it
        if merged is not None and merged.is_current(dtype, flat):
            return merged
        adapted = self.adapted
        if not can_be_merged(adapted, dtype):
            return self
        config = self.config.merged(dtype.name)
        if config is None:
            return self
        if dtype == self.dtype and all(each.adapter.mode == "full" for each in adapted.values()):
            return self  # there is nothing to merge or to convert
        named = self.named_parameters() | self.named_buffers()
        merged = self._merged = Merged(config, flat, named, adapted)
        return merged

    def check_bound(self) -> None:
        """Raise a ValueError if a layer has replaced a gradient or a buffer by another array."""
        self.root.check_bound(self.grad, self.buffers)

    # Properties ------------------------------------------------------------------------

    @property
    def hidden_scaffolds(self) -> dict[str, Scaffold]:
        """The frozen weights of the body, by path."""
        return {path: self.scaffolds[path] for path in self._hidden}

    @property
    def frozen_scaffolds(self) -> dict[str, Scaffold]:
        """The weights that stay frozen, by path of the layer."""
        return {path: self.scaffolds[path] for path in self._frozen}

    @property
    def n_trained(self) -> int:
        """Number of trained parameters."""
        return self.params.size

    @property
    def n_scaffold(self) -> int:
        """Number of frozen weights in use; zero if every weight is trained."""
        shapes = [self.scaffolds[path].shape for path in self._frozen]
        return sum(d_out * d_in for d_out, d_in in shapes)

    def on_device(self, array: np.ndarray) -> Array:
        """Return a host array on the network's device."""
        return to_device(array, self.device)

    def named_parameters(self) -> dict[str, Array]:
        """Return views on the trained arrays, by path."""
        return self.params.views(self.theta)

    def named_buffers(self) -> dict[str, Array]:
        """Return views on the buffers, by path."""
        return self.buffer_params.views(self.buffers)

    @property
    def adapted(self) -> dict[str, AdaptedDense]:
        """The layers that adapt a frozen matrix, by path."""
        return {la.path: la for la in self.root.walk() if isinstance(la, AdaptedDense)}

    def betas(self) -> dict[str, float]:
        """Return the scale of each scaffold, by path of its layer."""
        adapted = self.adapted
        return {path: adapted[path].beta_value for path in self._frozen if path in adapted}

    def ranks(self) -> dict[str, int]:
        """Return the rank of each adapter that has one, by path of its layer."""
        adapted = self.adapted.items()
        return {path: layer.adapter.rank for path, layer in adapted if layer.adapter.low_rank}

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each frozen scaffold's weights, by path of its layer."""
        return {path: self.scaffolds[path].digest() for path in self._frozen}

    def check_inputs(self, inputs: Inputs) -> None:
        """Raise if the inputs lack side arrays that the layers read.

        Raises
        ------
        ValueError
            If one is missing; the message names it and the layer.
        """
        _check_reads(self.root, inputs.side_names, type(inputs).__name__)

    # Pickling: views would lose their aliasing, and frozen weights can be drawn again ----

    def __getstate__(self) -> dict[str, Any]:
        return {
            "config": self.config,
            "seed": self.seed,
            "theta": to_host(self.theta),
            "buffers": to_host(self.buffers),
            "digests": self.digests(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(  # type: ignore[misc]
            state["config"], state["seed"], theta=state["theta"], buffers=state["buffers"]
        )
        self.check_digests(state["digests"])

    def check_digests(self, digests: Mapping[str, str]) -> None:
        """Raise if the frozen weights do not match `digests`, which were stored in a pickle.

        Parameters
        ----------
        digests : mapping of str to str
            What :meth:`digests` returned when the pickle was made.

        Raises
        ------
        ValueError
            If the digest of a scaffold differs.
        """
        for path, expected in digests.items():
            actual = self.scaffolds[path].digest()
            if actual != expected:
                raise ValueError(
                    f"the scaffold of {path} cannot be rebuilt here: expected digest {expected}, "
                    f"got {actual}. It was drawn by another version of deepreservoir"
                    + (
                        ", or with another LAPACK"
                        if self.scaffolds[path].spec.construction.needs_linear_algebra
                        else ""
                    )
                )


def _check_reads(layer: Layer, names: Sequence[str], source: str) -> None:
    for name in layer.reads:
        if name not in names:
            raise ValueError(
                f"layer {layer.path!r} ({type(layer).__name__}) reads the side array {name!r}; "
                f"{source} provides {', '.join(map(repr, names)) or 'none'}"
            )
    for child in layer.children:
        _check_reads(child, (*names, *layer.gives), source)
