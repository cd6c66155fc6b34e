"""Softmax attention, forward and backward, in blocks of queries.

The scores of all pairs of tokens are never in memory as a whole. The forward pass keeps the
logarithm of the sum of exponentials of each row, from which the backward pass computes the
probabilities of a block again (Dao et al., 2022, FlashAttention, algorithm 4):

    p = exp(s - log_sum)     ds = p (do v^T - D),  D = <do, o> of each row
    dv = p^T do              dq = scale ds k       dk = scale ds^T q

Arrays are (n, tokens, heads, d), as they come out of a product with a matrix: nothing is moved
to bring heads before tokens. On the CPU each thread works on a share of the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..backend import Array, array_module
from ..thread_limits import in_shares
from . import compiled
from .products import product

#: Bytes of the scores of one block: on the host two such blocks, of scores and of their gradients,
#: should stay in the second-level cache.
BLOCK_BYTES = 1 << 19
DEVICE_BLOCK_BYTES = 64 << 20
#: Smallest number of queries of a block under causal attention on the host.
CAUSAL_QUERIES = 32

#: Score of a key that the mask excludes beside keys that it keeps.
EXCLUDED = -1e9
#: Score of a later token under a causal mask, which must not count even beside excluded keys.
_LATER = -1e30


class _Block(NamedTuple):
    """Some heads and queries of some samples, and the number of keys that they may see."""

    samples: slice
    heads: slice
    queries: slice
    keys: int


def softmax_attention(
    q: Array, k: Array, v: Array, mask: Array | None = None, causal: bool = False
) -> tuple[Array, Array]:
    """Return ``softmax(q k^T / sqrt(d)) v``, and what the backward pass needs.

    Parameters
    ----------
    q : array, shape (n, t, heads, d)
    k, v : array, shape (n, keys, heads, d)
    mask : array of bool, shape (n, keys), optional
        The keys that are kept. A query that sees no kept key gives equal weight to all keys that
        it sees.
    causal : bool, default=False
        Whether a query sees only the keys up to its own position; the last query belongs to the
        last key.

    Returns
    -------
    out : array, shape (n, t, heads, d)
    log_sums : array, shape (n, heads, t)
        Logarithm of the sum of the exponentials of each row of scores.

    Raises
    ------
    ValueError
        If attention is causal and there are more queries than keys.
    """
    xp = array_module(q)
    n, t, heads, _ = q.shape
    out = xp.empty((n, t, heads, v.shape[-1]), q.dtype)
    log_sums = xp.empty((n, heads, t), q.dtype)

    def share(samples: slice) -> None:
        for block in _blocks(q, k, causal, samples):
            p = _scores(_rows(q, block), _keys(k, block), block, mask, causal)
            largest = p.max(axis=-1, keepdims=True)  # (samples, heads, queries, 1)
            sums = _exponentials_(p, largest)
            part = product(p, _keys(v, block))  # (samples, heads, queries, d)
            part /= sums
            out[block.samples, block.queries, block.heads] = part.swapaxes(1, 2)
            largest += xp.log(sums)
            log_sums[block.samples, block.heads, block.queries] = largest[..., 0]

    _in_shares(share, q, k)
    return out, log_sums


def softmax_attention_backward(
    dout: Array,
    q: Array,
    k: Array,
    v: Array,
    out: Array,
    log_sums: Array,
    mask: Array | None = None,
    causal: bool = False,
) -> tuple[Array, Array, Array]:
    """Return the gradients of q, k and v.

    Parameters
    ----------
    dout : array, shape (n, t, heads, d)
    q, k, v, mask, causal
        As in :func:`softmax_attention`.
    out, log_sums : array
        From :func:`softmax_attention`.
    """
    xp = array_module(q)
    scale = q.shape[-1] ** -0.5
    dq, dk, dv = xp.empty_like(q), xp.zeros_like(k), xp.zeros_like(v)

    def share(some: slice) -> None:
        for block in _blocks(q, k, causal, some):
            samples, group, queries, keys = block
            q_rows, k_rows, do = _rows(q, block), _keys(k, block), _rows(dout, block)
            p = _scores(q_rows, k_rows, block, mask, causal)
            _probabilities_(p, log_sums[samples, group, queries])
            dv[samples, :keys, group] += product(p.swapaxes(2, 3), do).swapaxes(1, 2)
            ds = product(do, _keys(v, block).swapaxes(2, 3))
            _score_gradient_(ds, p, _row_dots(do, _rows(out, block)))
            kept = _kept(mask, block)
            if kept is not None:  # the score of an excluded key is a constant
                ds *= kept
            dq[samples, queries, group] = product(ds, k_rows).swapaxes(1, 2)
            dk[samples, :keys, group] += product(ds.swapaxes(2, 3), q_rows).swapaxes(1, 2)

    _in_shares(share, q, k)
    dq *= scale
    dk *= scale
    return dq, dk, dv


def attention_probabilities(
    q: Array, k: Array, mask: Array | None = None, causal: bool = False
) -> Array:
    """Return the probabilities (n, heads, t, keys) of :func:`softmax_attention`, which are large.

    Parameters
    ----------
    q, k, mask, causal
        As in :func:`softmax_attention`.
    """
    xp = array_module(q)
    n, t, heads, _ = q.shape
    probabilities = xp.zeros((n, heads, t, k.shape[1]), q.dtype)
    for block in _blocks(q, k, causal, slice(0, n)):
        samples, group, queries, keys = block
        p = _scores(_rows(q, block), _keys(k, block), block, mask, causal)
        p -= p.max(axis=-1, keepdims=True)
        xp.exp(p, out=p)
        p /= p.sum(axis=-1, keepdims=True)
        probabilities[samples, group, queries, :keys] = p
    return probabilities


def _exponentials_(scores: Array, largest: Array) -> Array:
    """Replace scores by ``exp(scores - largest)``, and return their sums over keys.

    Parameters
    ----------
    scores : array, shape (..., keys)
    largest : array, shape (..., 1)
    """
    xp = array_module(scores)
    if xp is np and compiled.suits(scores):
        sums = np.empty_like(largest)
        rows = scores.reshape(-1, scores.shape[-1])
        compiled.loops().exponentials(rows, largest.reshape(-1), sums.reshape(-1))
        return sums
    scores -= largest
    xp.exp(scores, out=scores)
    return scores.sum(axis=-1, keepdims=True)


def _probabilities_(scores: Array, log_sums: Array) -> None:
    """Replace scores (..., keys) by ``exp(scores - log_sums)``, with log_sums (...)."""
    xp = array_module(scores)
    if xp is np and compiled.suits(scores):
        rows = scores.reshape(-1, scores.shape[-1])
        compiled.loops().probabilities(rows, np.ascontiguousarray(log_sums).reshape(-1))
        return
    scores -= log_sums[..., None]
    xp.exp(scores, out=scores)


def _row_dots(a: Array, b: Array) -> Array:
    """Return the sums of the products of the last axis's entries."""
    xp = array_module(a)
    return np.einsum("shqd,shqd->shq", a, b) if xp is np else (a * b).sum(axis=-1)


def _score_gradient_(grad: Array, p: Array, along: Array) -> None:
    """Replace grad (..., keys) by ``p (grad - along)``, with along (...)."""
    if array_module(grad) is np and compiled.suits(grad) and p.flags.c_contiguous:
        rows, weights = (x.reshape(-1, x.shape[-1]) for x in (grad, p))
        compiled.loops().score_gradient(rows, weights, np.ascontiguousarray(along).reshape(-1))
        return
    grad -= along[..., None]
    grad *= p


def _in_shares(job: Callable[[slice], None], q: Array, k: Array) -> None:
    """Run a job on shares of the samples: on the CPU one share per thread."""
    if array_module(q) is not np:
        job(slice(0, len(q)))
        return
    in_shares(job, len(q), _samples_at_a_time(q, k))


def _rows_at_a_time(q: Array, k: Array) -> int:
    """Return how many rows of scores take about as many bytes as stated above."""
    limit = BLOCK_BYTES if array_module(q) is np else DEVICE_BLOCK_BYTES
    return max(1, limit // (max(k.shape[1], 1) * q.dtype.itemsize))


def _samples_at_a_time(q: Array, k: Array) -> int:
    return max(1, _rows_at_a_time(q, k) // max(q.shape[1] * q.shape[2], 1))


def _blocks(q: Array, k: Array, causal: bool, some: slice) -> Iterator[_Block]:
    """Yield blocks of some samples whose scores take about as many bytes as stated above."""
    (_, t, heads, _), keys = q.shape, k.shape[1]
    if causal and t > keys:
        raise ValueError(
            f"causal attention needs at least as many keys as queries; got {t} queries and {keys} "
            "keys"
        )
    n_rows, by_sample = _rows_at_a_time(q, k), _samples_at_a_time(q, k)
    by_rows = min(n_rows, max(t, 1))
    if causal and array_module(q) is np:  # blocks of fewer queries see fewer keys
        by_rows = min(by_rows, max(CAUSAL_QUERIES, -(-t // 8)))
    by_head = min(max(1, n_rows // by_rows), heads)
    by_sample = max(1, n_rows // (by_rows * max(heads, 1)))
    for first in range(some.start, some.stop, by_sample):
        samples = slice(first, min(first + by_sample, some.stop))
        for head in range(0, heads, by_head):
            group = slice(head, min(head + by_head, heads))
            for row in range(0, t, by_rows):
                stop = min(row + by_rows, t)
                yield _Block(samples, group, slice(row, stop), keys - t + stop if causal else keys)


def _rows(x: Array, block: _Block) -> Array:
    """Return the block's queries as (samples, heads, queries, d)."""
    return x[block.samples, block.queries, block.heads].swapaxes(1, 2)


def _keys(x: Array, block: _Block) -> Array:
    """Return the block's keys as (samples, heads, keys, d)."""
    return x[block.samples, : block.keys, block.heads].swapaxes(1, 2)


def _kept(mask: Array | None, block: _Block) -> Array | None:
    """Return which keys a block keeps, (samples, 1, 1, keys), or None if it is known to keep all.

    On a device, to know it would take a wait.
    """
    if mask is None:
        return None
    kept = mask[block.samples, None, None, : block.keys]
    return None if array_module(mask) is np and kept.all() else kept


def _scores(q: Array, k: Array, block: _Block, mask: Array | None, causal: bool) -> Array:
    """Return the scores (samples, heads, queries, keys) of a block, masked, in a new array."""
    xp = array_module(q)
    scores = product(q * q.shape[-1] ** -0.5, k.swapaxes(2, 3))
    kept = _kept(mask, block)
    n = block.queries.stop - block.queries.start  # the last n keys are those of these queries
    if kept is not None:
        excluded = _score_of_excluded(kept, n if causal else None, scores.dtype)
        if xp is np:
            np.copyto(scores, excluded, where=~kept)
        else:
            scores = xp.where(kept, scores, excluded)
    if causal:
        later, real = xp.arange(n)[:, None] < xp.arange(n), scores.dtype.type
        scores[..., block.keys - n :] += xp.where(later, real(_LATER), real(0))
    return scores


def _score_of_excluded(kept: Array, n_queries: int | None, dtype: np.dtype) -> Array:
    """Return the score of excluded keys for each query, (samples, 1, queries or 1, 1).

    It is 0 for a query that sees no kept key: its probabilities are equal, and the logarithm of
    their sum keeps its digits, which it would not beside -1e9.

    Parameters
    ----------
    kept : array of bool, shape (samples, 1, 1, keys)
    n_queries : int or None
        Number of queries under a causal mask; None if all queries see all keys.
    """
    xp = array_module(kept)
    if n_queries is None:
        sees_any = kept.any(axis=-1, keepdims=True)
    else:
        sees_any = kept.cumsum(axis=-1)[..., kept.shape[-1] - n_queries :].swapaxes(2, 3) > 0
    return xp.where(sees_any, dtype.type(EXCLUDED), dtype.type(0))
