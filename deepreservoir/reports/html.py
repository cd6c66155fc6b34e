"""HTML from values: every text escaped, every table with its caption in a box of its own."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Markup(str):
    """Text that is HTML already."""


# Elements that have no end tag.
_VOID = frozenset(("meta", "link"))


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """Return an element; children and attributes that are no :class:`Markup` are escaped.

    An underscore at the end of an attribute's name, there for Python's sake, is dropped; one
    inside it becomes a hyphen.

    Examples
    --------
    >>> print(tag("p", "a < b ", tag("b", "c"), class_="lead"))
    <p class="lead">a &lt; b <b>c</b></p>
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Markup:
    """Return parts one after another, escaped unless they are :class:`Markup`."""
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
        Numbers stand to the right; long texts may be broken anywhere.
    """

    head: str
    kind: str = "words"


def table(
    name: str, caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]
) -> Markup:
    """Return a table that scrolls sideways in a box of its own.

    Parameters
    ----------
    name : str
        What the table's ids begin with.
    caption : str
    columns : sequence of Column
    rows : iterable of sequence of str
        A cell a column; the first is the head of its row, and sets rows apart where it changes.
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
    """Return terms and what is said of each."""
    return tag(
        "dl",
        *(tag("div", tag("dt", term), tag("dd", words)) for term, words in pairs),
        class_=class_,
    )
