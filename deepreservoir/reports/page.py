"""The report of a sweep: one self-contained HTML page for desktop, phone and print."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from ..experiments.comparisons.results import write_atomically
from ..sweeps.store import Folder
from . import drawing
from .data import Gathered, Snapshot
from .findings import findings
from .html import Markup, described, tag
from .pictures import pictures
from .tables import all_figures, beside_figures, differences, failed_runs, targets_met
from .wording import NOTES, answers, failures, left_out, run_facts, setup_facts, status_notes

PAPER = "https://arxiv.org/abs/2604.08749"

_NO_PICTURES = (
    "There are no pictures because matplotlib is not installed. Install the extra 'plot', then "
    "write the report again."
)
_FEW_RECORDS = "There are not enough records for a picture yet."


def save_report(
    folder: Folder | str | os.PathLike[str], out: str | os.PathLike[str] | None = None
) -> Path:
    """Write the results of a sweep so far as one HTML page.

    The page needs neither a network connection nor scripts. The same records give the same bytes
    with the same version of matplotlib. Without matplotlib, the page has tables but no pictures.

    Parameters
    ----------
    folder : Folder or path
        Folder of a sweep, which may still be running.
    out : path, optional
        File of the page, written atomically. By default ``report.html`` in the folder.

    Returns
    -------
    Path
        Path of the page.

    Raises
    ------
    ValueError
        If the folder is not that of a sweep, or the page would overwrite one of its files.
    OSError
        If the page cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep, run_sweep
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> sweep = Sweep("ranks", "friedman1", None, None, (0,), quick, (("rank", (1, 2)),))
    >>> with TemporaryDirectory() as folder:
    ...     _ = run_sweep(sweep, folder)
    ...     save_report(folder).name
    'report.html'
    """
    snapshot = Snapshot(folder.path if isinstance(folder, Folder) else folder)
    path = snapshot.path / "report.html" if out is None else Path(out)
    if path.resolve() in {own.resolve() for own in snapshot.own_files}:
        raise ValueError(f"{path} belongs to the sweep and would be lost; name another file")
    write_atomically(path, page(Gathered(snapshot)))
    return path


def page(gathered: Gathered) -> str:
    """Return the page of a sweep as HTML."""
    name = gathered.folder.sweep.name
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            # No script runs and nothing is fetched, whatever the names in the records contain.
            tag(
                "meta",
                http_equiv="Content-Security-Policy",
                content="default-src 'none'; style-src 'unsafe-inline'; img-src data:",
            ),
            tag("link", rel="icon", href="data:,"),
            tag("title", f"{name}: sweep report"),
            tag("style", Markup(files(__package__).joinpath("page.css").read_text("utf-8"))),
        ),
        tag("body", _header(gathered), tag("main", *_sections(gathered)), _footer(gathered)),
        lang="en-GB",
    )
    return f"<!DOCTYPE html>\n{document}\n"


def _header(gathered: Gathered) -> Markup:
    sweep = gathered.folder.sweep
    links = [("answer", "Results"), ("pictures", "Pictures"), ("figures", "All scores")]
    links += [("paired", "Paired differences"), ("controls", "What the arms are for")]
    return tag(
        "header",
        tag("p", "Sweep report", class_="kind"),
        tag("h1", sweep.name),
        *(tag("p", words, class_="state", role="note") for words in status_notes(gathered)),
        described(run_facts(gathered), "facts"),
        described(setup_facts(gathered), "how"),
        tag(
            "nav",
            *(tag("a", words, href=f"#{place}") for place, words in links),
            aria_label="On this page",
        ),
    )


def _sections(gathered: Gathered) -> Iterator[Markup]:
    yield _section("answer", "Results", *_results(gathered))
    yield _section("pictures", "Pictures", *_pictures(gathered))
    notes = left_out(gathered)
    note_list = [tag("ul", *(tag("li", note) for note in notes))] if notes else []
    yield _section("figures", "All scores", all_figures(gathered), *note_list)
    yield _section("paired", "Paired differences", differences(gathered))
    if failures(gathered):
        yield _section("failed", "Failed runs", failed_runs(gathered))
    yield _section(
        "controls",
        "What the arms are for",
        described(answers(gathered), "answers"),
        tag("h3", "How to read the scores"),
        tag("ul", *(tag("li", note) for note in NOTES)),
    )


def _section(name: str, title: str, *content: str) -> Markup:
    return tag("section", tag("h2", title, id=name), *content, aria_labelledby=name)


def _results(gathered: Gathered) -> Iterator[Markup]:
    if gathered.beside:
        yield tag("p", targets_met(gathered), class_="lead")
        yield beside_figures(gathered)
    sentences = findings(gathered)
    if sentences:
        yield tag("h3", "Findings")
        yield described(sentences, "answers")
    elif not gathered.beside:
        yield tag("p", "There are no results yet.")


def _pictures(gathered: Gathered) -> Iterator[Markup]:
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
        for picture in pictures(gathered)
    ]
    yield tag("div", *drawn, class_="pictures") if drawn else tag("p", _FEW_RECORDS)


def _footer(gathered: Gathered) -> Markup:
    own = dict.fromkeys(each.get("deepreservoir", "") for each in gathered.folder.versions)
    return tag(
        "footer",
        tag(
            "p",
            f"Computed with deepreservoir {' and '.join(own)}. "
            "The method was published by Hazan, Zhang, Hartl and Levin: ",
            tag("cite", "A Little Rank Goes a Long Way"),
            ", ",
            tag("a", "arXiv 2604.08749", href=PAPER),
            ".",
        ),
    )
