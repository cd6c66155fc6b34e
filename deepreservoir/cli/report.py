"""``deepreservoir report``: the results of a sweep as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from ..reports import save_report
from ..reports.drawing import available
from .base import main
from .saving import check_writable


@main.command("report")
@click.argument(
    "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the page.  [default: report.html in DIR]",
)
def report_command(folder: Path, out: Path | None) -> None:
    """Write the results of a sweep as an HTML page.

    DIR is the folder of a sweep, which may still be running. The page needs neither a network
    connection nor scripts; it is readable on a desktop, on a phone and in print. The pictures need
    matplotlib.

    \b
        deepreservoir report ranks
        deepreservoir report ranks --out ranks.html
    """
    page = out or folder / "report.html"
    check_writable(page, folder)
    save_report(folder, page)
    click.echo(f"Wrote {page}")
    if not available():
        click.echo("note: there are no pictures; they need matplotlib (the extra plot)")
