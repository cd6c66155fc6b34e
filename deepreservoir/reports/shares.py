"""Shares of trained parameters, with the number that they are shares of."""

from __future__ import annotations

from collections.abc import Iterable


def full_size(sizes: Iterable[tuple[str, int | None]]) -> int | None:
    """Return the number of parameters of the fully trained network.

    It is None if there is none yet, or if it is not the same at all grid points.

    Parameters
    ----------
    sizes : iterable of (str, int or None)
        Arms and their numbers of trained parameters.

    Examples
    --------
    >>> full_size([("adapter", 8), ("full", 100), ("full", 100)])
    100
    """
    found = {trained for arm, trained in sizes if arm == "full" and trained}
    return found.pop() if len(found) == 1 else None


def share_head(full: int) -> str:
    """Return the head of a column of shares, which names the denominator.

    Examples
    --------
    >>> share_head(92930)
    '% of 92,930'
    """
    return f"% of {full:,}"


def share(trained: int | None, full: int) -> str:
    """Return a share in percent as text; an empty one for an unknown number.

    Examples
    --------
    >>> share(3482, 92930), share(None, 92930)
    ('3.7', '')
    """
    return "" if trained is None else f"{100 * trained / full:.1f}"
