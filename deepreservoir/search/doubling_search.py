"""The smallest of many candidates that is good enough, with few trials."""

from __future__ import annotations

from collections.abc import Callable


def first_passing(n: int, passes: Callable[[int], bool]) -> int | None:
    """Return the first index below n that passes, by doubling and then bisection.

    Indices 0, 1, 3, 7, ... and n - 1 are tried until one passes; then the gap below it is
    halved. Where all that come after one that passes pass too, it is the first of all, found at
    index i in at most 2 log2(i + 1) + 2 trials (Bentley and Yao, 1976). Where trials are noisy, it
    is one that passes while the one before does not.

    Parameters
    ----------
    n : int
        At least 1.
    passes : callable
        Index -> bool; asked once an index.

    Returns
    -------
    int, or None where n - 1 was reached and none had passed

    Examples
    --------
    >>> asked = []
    >>> def passes(index):
    ...     asked.append(index)
    ...     return index >= 5
    >>> first_passing(1000, passes), asked
    (5, [0, 1, 3, 7, 5, 4])
    """
    failed, at = -1, 0
    while not passes(at):
        if at == n - 1:
            return None
        failed, at = at, min(2 * at + 1, n - 1)
    while at - failed > 1:
        middle = (failed + at) // 2
        if passes(middle):
            at = middle
        else:
            failed = middle
    return at
