"""Probabilities of networks that were trained on smoothed labels (Szegedy et al., 2016)."""

from __future__ import annotations

import numpy as np

#: The least share of a smoothed probability that is kept.
LEAST_SHARE = 0.02


def without_smoothing(log_q: np.ndarray, smoothing: float) -> np.ndarray:
    """Return the log probabilities of classes, given those that were fitted to smoothed labels.

    With label smoothing e, the cross-entropy of k classes is least at ``q = (1 - e) p + e / k``
    instead of at the probabilities p. They are proportional to ``q - e / k``. A network may also
    give smaller q than that: at least a fiftieth of q is kept, so that p is positive and that
    samples stay in the order of q.

    Parameters
    ----------
    log_q : ndarray, shape (..., k)
    smoothing : float
        In [0, 1); with 0, `log_q` is returned as it is.

    Returns
    -------
    ndarray, shape (..., k)

    Examples
    --------
    >>> q = np.array([0.95, 0.05])  # a certain class, as labels smoothed by 0.1 have it
    >>> np.exp(without_smoothing(np.log(q), 0.1)).round(3)
    array([0.999, 0.001])
    """
    if not smoothing:
        return log_q
    q = np.exp(log_q)
    rest = q - smoothing / q.shape[-1]
    kept = rest > LEAST_SHARE * q
    # The logarithm of a share of q is computed from log_q, which does not underflow.
    log_p = np.log(np.where(kept, rest, 1.0))
    log_p[~kept] = (log_q + np.log(LEAST_SHARE))[~kept]
    largest = log_p.max(axis=-1, keepdims=True)
    log_p -= largest + np.log(np.exp(log_p - largest).sum(axis=-1, keepdims=True))
    return log_p
