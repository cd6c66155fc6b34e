"""HTML from values: text is escaped, and each table has a caption and its own scroll box."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Markup(str):
    """Text that is already HTML."""


# Elements that have no end tag.
_VOID = frozenset(("meta", "link"))


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """Return an element; attributes, and children that are not :class:`Markup`, are escaped.

    In attribute names, a trailing underscore is dropped (``class_``), and other underscores become
    hyphens.

    Examples
    --------
    >>> print(tag("p", "a < b ", tag("b", "c"), class_="lead"))
    <p class="lead">a &lt; b <b>c</b></p>
    """
    attribute_text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{attribute_text}>")
    return Markup(f"<{name}{attribute_text}>{join(children)}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Markup:
    """Join parts; those that are not :class:`Markup` are escaped."""
    return Markup(
        between.join(
            part if isinstance(part, Markup) else html.escape(part, quote=False) for part in parts
        )
    )


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    head : str
    kind : {"words", "number", "long"}
        Numbers are right-aligned; long texts may be broken anywhere.
    """

    head: str
    kind: str = "words"


def table(
    name: str, caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]
) -> Markup:
    """Return a table in its own box, which scrolls horizontally.

    Parameters
    ----------
    name : str
        Prefix of the table's ids.
    caption : str
    columns : sequence of Column
    rows : iterable of sequence of str
        One cell per column. The first cell is the header of the row; where it changes, a new group
        of rows begins.
    """
    kinds = [column.kind for column in columns]
    head = [tag("th", column.head, scope="col", class_=column.kind) for column in columns]
    body, above = [], None
    for first, *rest in rows:
        cells = [tag("th", first, scope="row", class_=kinds[0])]
        cells += [tag("td", cell, class_=kind) for cell, kind in zip(rest, kinds[1:], strict=True)]
        body.append(tag("tr", *cells, **({} if first == above else {"class_": "new"})))
        above = first
    return tag(
        "div",
        tag(
            "table",
            tag("caption", tag("span", caption), id=f"{name}-caption"),
            tag("thead", tag("tr", *head)),
            tag("tbody", *body),
        ),
        class_="scroll",
        role="region",
        aria_labelledby=f"{name}-caption",
        tabindex="0",
    )


def described(pairs: Iterable[tuple[str, str]], class_: str) -> Markup:
    """Return a description list of terms and their descriptions."""
    return tag(
        "dl",
        *(tag("div", tag("dt", term), tag("dd", words)) for term, words in pairs),
        class_=class_,
    )
