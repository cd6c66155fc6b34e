"""``deepreservoir rank``: the smallest rank that is as good as training all weights."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from ..datasets.learning_table import TableOptions
from ..experiments.comparisons.results import write_atomically
from ..experiments.forecasts.picture import check_picture
from ..experiments.tables.rank_report import answer, draw_ranks, kind_of, ranks_markdown, readings
from ..experiments.tables.rank_table import rank_table
from .base import Numbers, checked_device, device_option, estimator_option, main
from .saving import check_writable, save
from .table_options import dataset_or_table, table_options

_new_file = click.Path(dir_okay=False, path_type=Path)


@main.command("rank")
@click.argument("dataset")
@click.option("--target", metavar="COLUMN", help="Column to predict, for a CSV file.")
@table_options
@click.option(
    "--eps", type=float, default=0.01, show_default=True, help="Maximum increase of the loss."
)
@click.option("--ranks", type=Numbers(), help="Candidate ranks.  [default: all valid ranks]")
@click.option(
    "--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Seeds per fold."
)
@click.option(
    "--folds", type=click.IntRange(min=2), default=3, show_default=True, help="Number of folds."
)
@click.option("--subspace", is_flag=True, help="Also determine the random-subspace dimension.")
@click.option(
    "--plot",
    type=_new_file,
    is_flag=False,
    flag_value="ranks.png",
    help="File for a picture: .png, .svg, .pdf or .jpg; ranks.png without a name.",
)
@estimator_option
@device_option
@click.option("--out", type=_new_file, help="JSON file for all results.")
def rank_command(
    dataset: str,
    target: str | None,
    options: TableOptions,
    eps: float,
    ranks: tuple[int, ...] | None,
    seeds: int,
    folds: int,
    subspace: bool,
    plot: Path | None,
    estimator: str | None,
    device: str,
    out: Path | None,
) -> None:
    """Find the smallest sufficient rank of a task.

    DATASET is a CSV file, or digits, friedman1, mnist or fashion_mnist. A rank is sufficient if
    its loss on held-out rows exceeds that of the fully trained network by at most eps:

    \b
        deepreservoir rank data.csv --target y --eps 0.01 --plot
        deepreservoir rank digits --ranks 1,2,4,8 --plot digits.svg

    The rank is doubled until it is sufficient; bisection then finds the smallest one. Each rank is
    trained on all folds with all seeds. A fifth of the rows is held out from the search.
    """
    chosen = checked_device(device)
    for path in filter(None, (plot, out)):
        check_writable(path, Path(dataset))
    if plot is not None and out is not None and plot.resolve() == out.resolve():
        raise click.UsageError(f"--plot and --out are the same file, {plot}; name two files")
    if plot is not None:
        check_picture(plot)
    data = dataset_or_table(dataset, target, options)
    result = rank_table(
        data,
        eps,
        ranks,
        seeds=seeds,
        folds=folds,
        subspace=subspace,
        estimator=estimator,
        device=chosen,
        verbose=sys.stderr.isatty(),
    )
    # Prepare all contents, then write them, then print: neither Ctrl-C nor a closed pipe leaves
    # incomplete results.
    files = {}
    if out is not None:
        files[out] = result.to_json().encode()
    if plot is not None:
        files[plot] = draw_ranks(result, kind_of(plot))
    failures = [
        save(partial(write_atomically, content=content), path, "the results")
        for path, content in files.items()
    ]
    click.echo(ranks_markdown(result))
    click.echo(answer(result))
    for name, value in readings(result):
        click.echo(f"{name:10}{value}")
    lost = [failure.message for failure in failures if failure is not None]
    if lost:
        raise click.ClickException("; ".join(lost))
    if files:
        click.echo("Wrote " + ", ".join(map(str, files)))
