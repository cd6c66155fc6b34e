"""Matplotlib figures as inline SVG for a page.

Colours are replaced by the page's CSS variables, so that pictures follow its light or dark scheme.
matplotlib is imported only when something is drawn.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

# Colours of the light scheme, by the name of the page's CSS variable.
COLOURS = {
    "ink": "#1b1f24",
    "quiet": "#5d6672",
    "rule": "#d5dae1",
    "blue": "#0b64ad",
    "red": "#bf4a0b",
    "green": "#0a7a5c",
    "purple": "#9b4a86",
    "gold": "#8c6a00",
    "sky": "#3e8bb5",
}
_NAMES = {value: name for name, value in COLOURS.items()}

# The text size is legible on a phone, where a picture is about 290 pixels wide.
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "deepreservoir",
    "font.family": ["DejaVu Sans"],
    "font.size": 11.0,
    "text.parse_math": False,  # a $ in a user's name is shown literally
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["quiet"],
    "axes.labelsize": 11.0,
    "axes.edgecolor": COLOURS["rule"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.6,
    "xtick.color": COLOURS["rule"],
    "ytick.color": COLOURS["rule"],
    "xtick.labelcolor": COLOURS["quiet"],
    "ytick.labelcolor": COLOURS["quiet"],
    "xtick.minor.visible": False,
    "ytick.left": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_WIDTH = 5.1  # inches; one inch is 72 units of the SVG


@dataclass(frozen=True)
class Style:
    """The style of a line or a set of points, distinguished by shape as well as by colour."""

    colour: str
    marker: str = ""
    dashes: str | tuple[int, tuple[int, ...]] = "-"
    width: float = 1.6
    size: float = 5.0

    def keywords(self) -> dict[str, Any]:
        """Return the style as keyword arguments for matplotlib."""
        return {
            "color": COLOURS[self.colour],
            "marker": self.marker,
            "linestyle": self.dashes,
            "linewidth": self.width,
            "markersize": self.size,
        }

    def points(self) -> Style:
        """Return the same style without a line."""
        return replace(self, dashes="none", size=self.size + 1)


@dataclass(frozen=True)
class Key:
    """A name at the right edge of a picture, next to the height that it refers to."""

    words: str
    style: Style
    height: float


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes
    ----------
    name : str
        Prefix of the ids in the SVG.
    title : str
    reading : str
        Caption that explains how to read the picture.
    svg : str
        SVG element of the page.
    """

    name: str
    title: str
    reading: str
    svg: str

    @staticmethod
    def of(figure: Any, name: str, title: str, reading: str, description: str) -> Picture:
        """Return a figure as a picture; `description` is for readers who cannot see it."""
        return Picture(name, title, reading, to_svg(figure, name, title, description))


def available() -> bool:
    """Return whether matplotlib (the extra ``plot``) is installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


@contextmanager
def drawing(height: float) -> Iterator[Any]:
    """Yield an empty figure, `height` inches high; convert it to SVG inside the ``with`` block."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # ignore the user's settings
        matplotlib.rcParams.update(_SETTINGS)
        yield Figure(figsize=(_WIDTH, height), layout="constrained")


def name_at_the_edge(axes: Any, keys: Sequence[Key], leaders: bool = True) -> None:
    """Write names to the right of the axes, without overlap, in the order of their heights.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes whose limits are final.
    keys : sequence of Key
    leaders : bool, default=True
        Draw a line from each height to its name.
    """
    ordered = sorted(keys, key=lambda key: -key.height)
    to_axes = axes.transAxes.inverted()
    at = [float(to_axes.transform(axes.transData.transform((1, k.height)))[1]) for k in ordered]
    gap = 15.0 / (72 * axes.figure.get_size_inches()[1] * 0.82)
    for key, height, place in zip(ordered, at, _spread(at, gap), strict=True):
        style = key.style.keywords()
        outside = {"transform": axes.transAxes, "clip_on": False}
        if leaders:
            axes.plot(
                [1.0, 1.04], [height, place], color=COLOURS["quiet"], linewidth=0.5, **outside
            )  # fmt: skip
        axes.plot([1.05, 1.095, 1.14], [place] * 3, markevery=[1], **(style | outside))
        axes.text(1.165, place, key.words, va="center_baseline", transform=axes.transAxes)


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move descending heights as little as necessary to be `gap` apart and between 0 and 1."""

    def inside(middle: float, n: int) -> tuple[float, int]:
        half = gap * (n - 1) / 2
        return min(max(middle, half), max(1 - half, half)), n

    groups: list[tuple[float, int]] = []  # groups of adjacent heights: their middle and number
    for height in heights:
        groups.append(inside(height, 1))
        while len(groups) > 1:
            (above, n), (below, m) = groups[-2:]
            if above - below >= gap * (n + m) / 2:
                break
            groups[-2:] = [inside((above * n + below * m) / (n + m), n + m)]
    return [middle + gap * ((n - 1) / 2 - i) for middle, n in groups for i in range(n)]


def to_svg(figure: Any, name: str, title: str, words: str) -> str:
    """Return a figure as an SVG element for a page.

    All ids begin with `name`, so that the pictures of a page have different ids; ids without
    references are removed. Colours refer to the CSS variables of the page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    name : str
        Prefix of the ids.
    title, words : str
        Title and description for readers who cannot see the picture.
    """
    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    root = ET.fromstring(buffer.getvalue())
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    used = set(re.findall(r"#([\w-]+)", " ".join(_references(root))))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            key.rpartition("}")[2]: _for_page(key, value, name)
            for key, value in element.attrib.items()
            if key != "id" or value in used
        }
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-words",
    }
    for place, (kind, text) in enumerate((("title", title), ("desc", words))):
        element = ET.Element(kind, {"id": f"{name}-{'words' if place else 'title'}"})
        element.text = text
        root.insert(place, element)
    return ET.tostring(root, encoding="unicode", short_empty_elements=False)


def _references(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.endswith("href") or "url(" in value:
                yield value


def _for_page(key: str, value: str, name: str) -> str:
    """Return an attribute value with the picture's ids and the page's colours."""
    if key == "id":
        return f"{name}-{value}"
    value = re.sub(r"url\(#", f"url(#{name}-", value)
    if key.endswith("href"):
        return value.replace("#", f"#{name}-", 1)
    if key == "style":
        return re.sub(
            r"#[0-9a-f]{6}",
            lambda match: f"var(--{_NAMES[match[0]]})" if match[0] in _NAMES else match[0],
            value,
        )
    return value
