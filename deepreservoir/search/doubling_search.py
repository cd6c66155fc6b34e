"""Search for the smallest of many candidates that is good enough, with few trials."""

from __future__ import annotations

from collections.abc import Callable


def first_passing(n: int, passes: Callable[[int], bool]) -> int | None:
    """Return the first index below n that passes, by doubling and then bisection.

    Indices 0, 1, 3, 7, ... and n - 1 are tried until one passes; then the gap below it is
    halved repeatedly. If every index after a passing one passes too, the result i is the first
    passing index, found in at most 2 log2(i + 1) + 2 trials (Bentley and Yao, 1976). If trials are
    noisy, it is an index that passes while the one before it does not.

    Parameters
    ----------
    n : int
        At least 1.
    passes : callable
        Index -> bool; called at most once per index.

    Returns
    -------
    int, or None if n - 1 was reached and no index had passed

    Examples
    --------
    >>> tried = []
    >>> def passes(index):
    ...     tried.append(index)
    ...     return index >= 5
    >>> first_passing(1000, passes), tried
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
