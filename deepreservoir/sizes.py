"""Sizes in bytes, as messages write them."""

from __future__ import annotations


def size_words(n_bytes: int) -> str:
    """Return a number of bytes in the largest unit of which there is at least one.

    Examples
    --------
    >>> size_words(3 << 29), size_words(12)
    ('1.5 GiB', '12 bytes')
    """
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes} bytes"
