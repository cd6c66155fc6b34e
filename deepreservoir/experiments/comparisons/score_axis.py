"""The range of scores on an axis, so that controls that fail do not squeeze the others."""

from __future__ import annotations

import math
from collections.abc import Iterable

# Scores below the worst adapter are on the axis down to this many times the range of the scores
# from that adapter to the best arm.
_REACH = 2.0
# The least part of the unit (100 % or R^2 = 1) below the worst adapter that is on the axis.
_LEAST = 0.05
_MARGIN = 0.06


def score_limits(
    adapters: Iterable[float], others: Iterable[float], unit: float
) -> tuple[float, float] | None:
    """Return the lower and the upper limit of an axis of scores.

    The adapters are always within the limits, and so is every better score. Scores that are far
    below the worst adapter, such as those of a wrong seed, are left outside.

    Parameters
    ----------
    adapters, others : iterable of float
        Scores of the adapters and of all other arms; values that are not finite are ignored.
    unit : float
        The score of a perfect model: 100 for percent, 1 for R^2.

    Returns
    -------
    (float, float), or None
        None if there is no finite score of an adapter.

    Examples
    --------
    >>> low, high = score_limits([91.3, 97.6], [98.5, 92.6, 85.0, 59.8, 12.3], 100)
    >>> 80 < low < 85, 98.5 < high < 100
    (True, True)
    """
    ours = list(filter(math.isfinite, adapters))
    if not ours:
        return None
    known = list(filter(math.isfinite, others))
    worst, best = min(ours), max(ours + known)
    reach = max(_REACH * (best - worst), _LEAST * unit)
    low = min([worst, *(score for score in known if score >= worst - reach)])
    margin = _MARGIN * (best - low) or 0.01 * unit
    return low - margin, best + margin
