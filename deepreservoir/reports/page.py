"""A sweep as one page: self-contained, for a screen, a phone and paper."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from ..experiments.comparisons.results import write_atomically
from . import drawing
from .data import Gathered, Snapshot
from .findings import findings
from .html import Markup, described, tag
from .pictures import pictures
from .tables import all_figures, beside_figures, failed_runs, targets_met
from .wording import ANSWERS, NOTES, failures, how, left_out, state, what

PAPER = "https://arxiv.org/abs/2604.08749"

_NO_PICTURES = (
    "The pictures are missing: matplotlib is not installed. The extra named plot brings it; "
    "then write the report again."
)
_FEW_RECORDS = "There are too few records for a picture yet."


def save_report(folder: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> Path:
    """Write what a sweep has found so far as one HTML page.

    The page needs neither network nor scripts. The same records give the same bytes, under the
    same version of matplotlib. Without matplotlib it has its tables and no pictures.

    Parameters
    ----------
    folder : path
        Of a sweep's results; it may still be growing.
    out : path, optional
        File of the page, written whole or not at all; ``report.html`` in the folder if not given.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ValueError
        If the folder holds no sweep, or the page would take the place of one of its files.
    OSError
        If the page cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep, run_sweep
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> sweep = Sweep("ranks", "digits", None, None, (0,), quick, (("rank", (1, 2)),))
    >>> with TemporaryDirectory() as folder:
    ...     _ = run_sweep(sweep, folder)
    ...     save_report(folder).name
    'report.html'
    """
    snapshot = Snapshot(folder)
    path = snapshot.path / "report.html" if out is None else Path(out)
    if path.resolve() in {own.resolve() for own in snapshot.own_files}:
        raise ValueError(f"{path} holds the sweep itself and would be lost; name another file")
    write_atomically(path, page(Gathered(snapshot)))
    return path


def page(found: Gathered) -> str:
    """Return the page of a sweep, as HTML."""
    name = found.folder.sweep.name
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            # Whatever a name in the records may hold, nothing is run or fetched.
            tag(
                "meta",
                http_equiv="Content-Security-Policy",
                content="default-src 'none'; style-src 'unsafe-inline'; img-src data:",
            ),
            tag("link", rel="icon", href="data:,"),
            tag("title", f"{name}: report of a sweep"),
            tag("style", Markup(files(__package__).joinpath("page.css").read_text("utf-8"))),
        ),
        tag("body", _header(found), tag("main", *_sections(found)), _footer(found)),
        lang="en-GB",
    )
    return f"<!DOCTYPE html>\n{document}\n"


def _header(found: Gathered) -> Markup:
    sweep = found.folder.sweep
    links = [("answer", "Answer"), ("pictures", "Pictures"), ("figures", "All figures")]
    links += [("controls", "What the controls answer")]
    return tag(
        "header",
        tag("p", "Report of a sweep", class_="kind"),
        tag("h1", sweep.name),
        *(tag("p", words, class_="state", role="note") for words in state(found)),
        described(what(found), "facts"),
        described(how(found), "how"),
        tag(
            "nav",
            *(tag("a", words, href=f"#{place}") for place, words in links),
            aria_label="On this page",
        ),
    )


def _sections(found: Gathered) -> Iterator[Markup]:
    yield _section("answer", "Answer", *_answer(found))
    yield _section("pictures", "Pictures", *_pictures(found))
    notes = left_out(found)
    said = [tag("ul", *(tag("li", note) for note in notes))] if notes else []
    yield _section("figures", "All figures", all_figures(found), *said)
    if failures(found):
        yield _section("failed", "Runs that failed", failed_runs(found))
    yield _section(
        "controls",
        "What the controls answer",
        described(((found.name(arm), words) for arm, words in ANSWERS.items()), "answers"),
        tag("h3", "How to read the figures"),
        tag("ul", *(tag("li", note) for note in NOTES)),
    )


def _section(name: str, title: str, *content: str) -> Markup:
    return tag("section", tag("h2", title, id=name), *content, aria_labelledby=name)


def _answer(found: Gathered) -> Iterator[Markup]:
    if found.beside:
        yield tag("p", targets_met(found), class_="lead")
        yield beside_figures(found)
    said = findings(found)
    if said:
        yield tag("h3", "What the figures say, and what they do not")
        yield described(said, "answers")
    elif not found.beside:
        yield tag("p", "There are no figures yet.")


def _pictures(found: Gathered) -> Iterator[Markup]:
    if not drawing.available():
        yield tag("p", _NO_PICTURES, class_="state", role="note")
        return
    drawn = [
        tag(
            "figure",
            tag("h3", picture.title),
            Markup(picture.svg),
            tag("figcaption", picture.reading),
        )
        for picture in pictures(found)
    ]
    yield tag("div", *drawn, class_="pictures") if drawn else tag("p", _FEW_RECORDS)


def _footer(found: Gathered) -> Markup:
    version = found.folder.began["versions"].get("deepreservoir", "")
    return tag(
        "footer",
        tag(
            "p",
            f"Run by deepreservoir {version}. "
            "The method is that of Hazan, Zhang, Hartl and Levin, ",
            tag("cite", "A Little Rank Goes a Long Way"),
            ", ",
            tag("a", "arXiv 2604.08749", href=PAPER),
            ".",
        ),
    )
