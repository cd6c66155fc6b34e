"""``deepreservoir compare``: adapters beside full training and controls."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..experiments import (
    SERIES,
    Comparison,
    ForecastComparison,
    check_arms,
    check_forecast_arms,
    check_forecast_ranks,
    checked_ranks,
    compare,
    compare_forecasts,
    forecast_table,
    protocol_for,
    save_comparison_picture,
    save_forecast_table,
    save_picture,
    save_table,
    table,
)
from .base import Numbers, checked_device, dataset_or_table, device_option, main


@main.command("compare")
@click.argument("dataset", default="digits")
@click.option("--target", metavar="COLUMN", help="Column to predict, for a table.")
@click.option("--ranks", type=Numbers(), default="1,2,4,8", show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--arms", help="Which, by commas.  [default: all]")
@device_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of results.json, table.md, accuracy.png.  [default: deepreservoir-results/NAME]",
)
def compare_command(
    dataset: str,
    target: str | None,
    ranks: tuple[int, ...],
    seeds: int,
    arms: str | None,
    device: str,
    out: Path | None,
) -> None:
    """How many trained numbers does a task need on a frozen random network?

    DATASET is digits (the default, comes with the package), mnist or fashion_mnist, or a
    CSV file with a header; mackey_glass or lorenz63 compare forecasts of a series:

    \b
        deepreservoir compare
        deepreservoir compare mnist --ranks 1,8,32 --seeds 5
        deepreservoir compare measurements.csv --target price
        deepreservoir compare mackey_glass

    Adapters at each rank stand beside the fully trained network, a dense network of the same
    stored bytes, and controls: no scaffold, scaffold removed after training, wrong seed,
    random features with a ridge readout, logistic regression. Scores are on held-out rows,
    mean and standard deviation over seeds.
    """
    named = None if arms is None else arms.split(",")
    chosen = checked_device(device)  # before a data set is loaded or downloaded
    if dataset in SERIES:
        if target is not None:
            raise click.UsageError(f"--target goes with a table; {dataset} is a series")
        check_forecast_arms(named)
        check_forecast_ranks(ranks, dataset)
        folder = _folder(out, dataset)
        _run(
            partial(compare_forecasts, dataset, ranks, seeds, named, device=chosen),
            partial(_report_forecasts, folder=folder),
        )
        return
    wanted = check_arms(named)
    data = dataset_or_table(dataset, target, also=SERIES)
    checked_ranks(ranks, data, protocol_for(data.name))
    folder = _folder(out, data.name)
    _run(
        partial(compare, data, ranks, seeds, wanted, device=chosen),
        partial(_report, folder=folder),
    )


def _folder(out: Path | None, name: str) -> Path:
    """Return the folder of the results, made; one that cannot be is refused before training."""
    folder = out or Path("deepreservoir-results") / name
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise click.ClickException(f"--out {folder} cannot be written to; name another folder")
    return folder


def _run(work: Callable[..., Any], report: Callable[[Any], None]) -> None:
    """Compare, and report also what was finished when Ctrl-C came."""

    def keep(comparison: Any) -> None:
        if comparison.records:
            report(comparison)
            click.echo("Interrupted: the runs that were finished are kept.", err=True)

    report(work(verbose=sys.stderr.isatty(), on_interrupt=keep))


def _report(comparison: Comparison, folder: Path) -> None:
    # Kept first, told afterwards: a closed pipe must not cost the results.
    written = [comparison.save(folder), save_table(comparison, folder)]
    picture = save_picture(comparison, folder)
    click.echo(table(comparison))
    for note in comparison.notes:
        click.echo(f"note: {note}")
    _told(written, picture)


def _report_forecasts(comparison: ForecastComparison, folder: Path) -> None:
    written = [comparison.save(folder), save_forecast_table(comparison, folder)]
    picture = save_comparison_picture(comparison, folder)
    click.echo(forecast_table(comparison))
    _told(written, picture)


def _told(written: list[Path], picture: Path | None) -> None:
    if picture is None:
        click.echo("No picture: it needs matplotlib (pip install 'deepreservoir[plot]').")
    else:
        written.append(picture)
    click.echo("Wrote " + ", ".join(str(path) for path in written))
