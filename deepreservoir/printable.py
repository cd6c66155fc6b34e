"""Text from files that may come from anywhere, as it can be printed."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return a text in which every character that is not printable is written as its escape.

    Such characters are line breaks, control characters, with which a terminal changes what it
    shows, and characters that reverse the direction of a line.

    Examples
    --------
    >>> print(printable("low\n\x1b[2Jhigh"))
    low\n\x1b[2Jhigh
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
