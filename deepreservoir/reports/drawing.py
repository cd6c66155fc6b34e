"""Drawing without a screen: matplotlib figures as SVG that stands inside a page.

Colours are names of the page's, so that a picture follows its light or dark scheme. matplotlib
is imported when something is drawn, and not before.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

# What matplotlib is told, and the page's name for it: each is a colour of the light scheme.
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

# Text is as large as it can be read at on a phone, where a picture is about 290 pixels wide.
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "deepreservoir",
    "font.family": ["DejaVu Sans"],
    "font.size": 11.0,
    "text.parse_math": False,  # a $ in a user's name is a $
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
_WIDTH = 5.1  # inches, of 72 units of the picture


@dataclass(frozen=True)
class Style:
    """How a line or a set of points looks: told apart by shape as well as by colour."""

    colour: str
    marker: str = ""
    dashes: str | tuple[int, tuple[int, ...]] = "-"
    width: float = 1.6
    size: float = 5.0

    def keywords(self) -> dict[str, Any]:
        """Return it as matplotlib takes it."""
        return {
            "color": COLOURS[self.colour],
            "marker": self.marker,
            "linestyle": self.dashes,
            "linewidth": self.width,
            "markersize": self.size,
        }

    def points(self) -> Style:
        """Return the style of points without a line."""
        return replace(self, dashes="none", size=self.size + 1)


@dataclass(frozen=True)
class Key:
    """A name at the right edge of a picture, beside the height that it belongs to."""

    words: str
    style: Style
    height: float


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes
    ----------
    name : str
        What its ids begin with.
    title : str
    reading : str
        How to read it.
    svg : str
        An element of the page.
    """

    name: str
    title: str
    reading: str
    svg: str

    @staticmethod
    def of(figure: Any, name: str, title: str, reading: str, told: str) -> Picture:
        """Return a figure as a picture; `told` is said to who does not see it."""
        return Picture(name, title, reading, to_svg(figure, name, title, told))


def available() -> bool:
    """Tell whether matplotlib (the extra ``plot``) is installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


@contextmanager
def drawing(height: float) -> Iterator[Any]:
    """Give an empty figure, `height` inches high; what is drawn must be made SVG inside."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a picture follows no settings of the user's
        matplotlib.rcParams.update(_SETTINGS)
        yield Figure(figsize=(_WIDTH, height), layout="constrained")


def name_at_the_edge(axes: Any, keys: Sequence[Key], leaders: bool = True) -> None:
    """Write names right of the axes, highest first, none over another.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        With its limits as they are to be.
    keys : sequence of Key
    leaders : bool, default=True
        Lead from each height to its name.
    """
    ordered = sorted(keys, key=lambda key: -key.height)
    to_axes = axes.transAxes.inverted()
    at = [float(to_axes.transform(axes.transData.transform((1, k.height)))[1]) for k in ordered]
    gap = 15.0 / (72 * axes.figure.get_size_inches()[1] * 0.82)
    for key, height, place in zip(ordered, at, _spread(at, gap), strict=True):
        style = key.style.keywords()
        apart = {"transform": axes.transAxes, "clip_on": False}
        if leaders:
            axes.plot(
                [1.0, 1.04], [height, place], color=COLOURS["quiet"], linewidth=0.5, **apart
            )  # fmt: skip
        axes.plot([1.05, 1.095, 1.14], [place] * 3, markevery=[1], **(style | apart))
        axes.text(1.165, place, key.words, va="center_baseline", transform=axes.transAxes)


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights, which fall, as little as need be until they are `gap` apart, inside 0 to 1."""

    def inside(middle: float, n: int) -> tuple[float, int]:
        half = gap * (n - 1) / 2
        return min(max(middle, half), max(1 - half, half)), n

    groups: list[tuple[float, int]] = []  # of heights that touch: their middle, how many
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

    Its ids begin with `name`, so that two pictures in a page do not share any; what is not
    referred to has none. Colours are the page's.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    name, title, words : str
        What ids begin with, and what is said to who does not see the picture.
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
            key.rpartition("}")[2]: _own(key, value, name)
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


def _own(key: str, value: str, name: str) -> str:
    """Return an attribute with the picture's ids and the page's colours."""
    if key == "id":
        return f"{name}-{value}"
    value = re.sub(r"url\(#", f"url(#{name}-", value)
    if key.endswith("href"):
        return value.replace("#", f"#{name}-", 1)
    if key == "style":
        return re.sub(
            r"#[0-9a-f]{6}",
            lambda found: f"var(--{_NAMES[found[0]]})" if found[0] in _NAMES else found[0],
            value,
        )
    return value
