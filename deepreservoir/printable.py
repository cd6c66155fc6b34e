"""Text and values as messages show them: in one line, and not too long."""

from __future__ import annotations

from typing import Any


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


def shortened(value: Any, most: int = 80) -> str:
    """Return the repr of a value, of which a long one ends with an ellipsis.

    Examples
    --------
    >>> shortened("a" * 100, most=10)
    "'aaaaaa..."
    """
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
