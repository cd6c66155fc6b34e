"""``deepreservoir rank``: the smallest rank that does as well as training all weights."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..experiments.comparisons.results import write_atomically
from ..experiments.forecasts.forecast import check_picture
from ..experiments.tables.rank_report import answer, draw_ranks, kind_of, ranks_markdown, readings
from ..experiments.tables.rank_table import rank_table
from .base import (
    Numbers,
    check_writable,
    checked_device,
    dataset_or_table,
    device_option,
    main,
)

_new_file = click.Path(dir_okay=False, path_type=Path)


@main.command("rank")
@click.argument("dataset")
@click.option("--target", metavar="COLUMN", help="Column to predict, for a table.")
@click.option("--eps", type=float, default=0.01, show_default=True, help="Loss that may be lost.")
@click.option("--ranks", type=Numbers(), help="Candidates.  [default: all that fit]")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--folds", type=click.IntRange(min=2), default=3, show_default=True)
@click.option("--subspace", is_flag=True, help="Find the random-subspace dimension too.")
@click.option(
    "--plot",
    type=_new_file,
    is_flag=False,
    flag_value="ranks.png",
    help="Draw a picture there (.png, .svg, .pdf or .jpg); without a name into ranks.png.",
)
@device_option
@click.option("--out", type=_new_file, help="JSON file of all that was found.")
def rank_command(
    dataset: str,
    target: str | None,
    eps: float,
    ranks: tuple[int, ...] | None,
    seeds: int,
    folds: int,
    subspace: bool,
    plot: Path | None,
    device: str,
    out: Path | None,
) -> None:
    """How many trained numbers does a task need?

    DATASET is a CSV file with a header, or digits, mnist or fashion_mnist. Found is the smallest
    rank whose loss on held-out rows is at most eps over that of the same network with all weights
    trained:

    \b
        deepreservoir rank data.csv --target y --eps 0.01 --plot
        deepreservoir rank digits --ranks 1,2,4,8 --plot digits.svg

    Ranks are doubled until one is good enough, then the gap below it is halved; every rank is
    trained on each fold with each seed. A fifth of the rows is held out from all of this.
    """
    chosen = checked_device(device)
    given = [path for path in (plot, out) if path is not None]
    for path in given:
        check_writable(path, Path(dataset))
    if plot is not None and out is not None and plot.resolve() == out.resolve():
        raise click.UsageError(f"--plot and --out are one file, {plot}; name two")
    if plot is not None:
        check_picture(plot)
    data = dataset_or_table(dataset, target)
    found = rank_table(
        data,
        eps,
        ranks,
        seeds=seeds,
        folds=folds,
        subspace=subspace,
        device=chosen,
        verbose=sys.stderr.isatty(),
    )
    # Made first, then written, then told: neither Ctrl-C nor a closed pipe leaves half of it.
    files = {}
    if out is not None:
        files[out] = found.to_json().encode()
    if plot is not None:
        files[plot] = draw_ranks(found, kind_of(plot))
    for path, content in files.items():
        write_atomically(path, content)
    click.echo(ranks_markdown(found))
    click.echo(answer(found))
    for name, value in readings(found):
        click.echo(f"{name:10}{value}")
    if files:
        click.echo("Wrote " + ", ".join(map(str, files)))
