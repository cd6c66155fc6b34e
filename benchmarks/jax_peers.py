"""The same MNIST epoch in JAX with optax, if both are installed, for the speed benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

#: The packages whose versions belong to the figures.
PACKAGES = ("jax", "jaxlib", "optax")


def available() -> bool:
    """Return whether JAX and optax can be imported."""
    try:
        import jax
        import optax
    except ImportError:
        return False
    return jax is not None and optax is not None


def _layer(random: np.random.Generator, d_in: int, d_out: int, rank: int | None) -> Any:
    """Return (trained, frozen) arrays of a layer: all of it, or an adapter on a frozen matrix."""
    W = random.standard_normal((d_in, d_out), np.float32) / np.float32(d_in**0.5)
    if rank is None:
        return {"W": W, "b": np.zeros(d_out, np.float32)}, None
    A = random.standard_normal((d_in, rank), np.float32) / np.float32(d_in**0.5)
    B = random.standard_normal((rank, d_out), np.float32) * np.float32(0.01)
    return {"A": A, "B": B, "beta": np.ones((), np.float32)}, W


def _outputs(x: Any, trained: Any, frozen: Any) -> Any:
    if frozen is None:
        return x @ trained["W"] + trained["b"]
    return trained["beta"] * (x @ frozen) + (x @ trained["A"]) @ trained["B"]


def mlp_epochs(
    X: np.ndarray,
    y: np.ndarray,
    widths: tuple[int, ...],
    rank: int | None,
    batch: int,
    dropout: float,
    epochs: int,
) -> Callable[[], object]:
    """Return epochs of a ReLU network with dropout, softmax cross-entropy and AdamW.

    A whole epoch, with its order of rows and its dropout masks, is one compiled scan.

    Parameters
    ----------
    X : ndarray of float32, shape (n, d)
    y : ndarray of int, shape (n,)
    widths : tuple of int
        From the input to the output.
    rank : int, optional
        Of the adapters of the hidden layers; None trains all weights.
    batch : int
        Rows per step; it must divide n, since all steps of a scan have one shape.
    dropout : float
    epochs : int

    Raises
    ------
    ValueError
        If `batch` does not divide the number of rows.
    """
    import jax
    import optax

    if len(X) % batch:
        raise ValueError(f"batch must divide the number of rows, {len(X)}; got {batch}")
    random = np.random.default_rng(0)
    layers = [_layer(random, d_in, d_out, rank) for d_in, d_out in pairwise(widths[:-1])]
    layers.append(_layer(random, widths[-2], widths[-1], None))
    params, frozen = (jax.device_put([layer[i] for layer in layers]) for i in (0, 1))
    optimiser = optax.adamw(1e-3, weight_decay=1e-2)
    rows, labels = jax.device_put(X), jax.device_put(y.astype(np.int32))

    def loss(params: Any, x: Any, y: Any, key: Any) -> Any:
        hidden = zip(params[:-1], frozen[:-1], jax.random.split(key, len(params) - 1), strict=True)
        for trained, weights, own in hidden:
            x = jax.nn.relu(_outputs(x, trained, weights))
            keep = jax.random.bernoulli(own, 1 - dropout, x.shape)
            x = jax.numpy.where(keep, x / (1 - dropout), 0)
        logits = _outputs(x, params[-1], None)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def step(carried: Any, drawn: Any) -> Any:
        params, state = carried
        index, key = drawn
        value, grads = jax.value_and_grad(loss)(params, rows[index], labels[index], key)
        updates, state = optimiser.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    @jax.jit
    def epoch(carried: Any, key: Any) -> Any:
        order, masks = jax.random.split(key)
        index = jax.random.permutation(order, len(X)).reshape(-1, batch)
        return jax.lax.scan(step, carried, (index, jax.random.split(masks, len(index))))

    def run() -> float:
        """Train from the same start, and return the mean loss of the last epoch."""
        carried: Any = (params, optimiser.init(params))
        losses: Any = None
        for key in jax.random.split(jax.random.key(0), epochs):
            carried, losses = epoch(carried, key)
        jax.block_until_ready(carried)
        return float(np.mean(losses))

    return run
