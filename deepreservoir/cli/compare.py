"""``deepreservoir compare``: adapters compared with full training and with controls."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..datasets.learning_table import TableOptions
from ..experiments import (
    DEFAULT_RANKS,
    SERIES,
    Comparison,
    ForecastComparison,
    check_arms,
    check_forecast_arms,
    check_forecast_ranks,
    checked_estimator,
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
from ..reports.advice import comparison_findings
from .base import Numbers, checked_device, device_option, estimator_option, main
from .saving import check_folder, save
from .table_options import dataset_or_table, refuse_table_options, table_options

#: The data sets that are compared if none is named.
_FIRST = ("digits", "friedman1")


@main.command("compare")
@click.argument("dataset", required=False)
@click.option("--target", metavar="COLUMN", help="Column to predict, for a CSV file.")
@table_options
@click.option(
    "--ranks",
    type=Numbers(),
    help="Ranks of the adapters.  [default: 1,2,4,8, as far as the layers allow them]",
)
@click.option(
    "--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Number of seeds."
)
@click.option(
    "--arms",
    help="Comma-separated arms, such as adapter,full,linear; the page Command line of the "
    "documentation lists them.  [default: all]",
)
@estimator_option
@device_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results.  [default: deepreservoir-results/NAME]",
)
def compare_command(
    dataset: str | None,
    target: str | None,
    options: TableOptions,
    ranks: tuple[int, ...] | None,
    seeds: int,
    arms: str | None,
    estimator: str | None,
    device: str,
    out: Path | None,
) -> None:
    """Compare adapters with full training and controls.

    DATASET is digits (part of scikit-learn), friedman1 (a regression that scikit-learn draws),
    mnist, fashion_mnist, or a CSV file. Without it, digits and friedman1 are compared, one after
    the other: on the first, dense networks of the same size and simple references are as good as
    adapters, or better; on the second, adapters of rank 4 are better than their controls, and at
    rank 8 the low-rank path without a scaffold is better than the adapter.
    With mackey_glass or lorenz63, forecasts of a time series are compared:

    \b
        deepreservoir compare
        deepreservoir compare mnist --ranks 1,8,32 --seeds 5
        deepreservoir compare measurements.csv --target price
        deepreservoir compare mackey_glass

    Adapters on a frozen random network are compared, at each rank, with the fully trained
    network, a dense network of the same stored size, and controls: no scaffold, scaffold removed
    after training, wrong seed, random features with a ridge readout, an echo-state network (for
    images and series), and a linear model. Scores are computed on held-out rows, as mean and
    standard deviation over seeds.
    """
    arm_names = None if arms is None else arms.split(",")
    chosen = checked_device(device)  # before a data set is loaded or downloaded
    if dataset in SERIES:
        refuse_table_options(dataset, target, options)
        if estimator is not None:
            raise click.UsageError(
                f"--estimator does not apply to {dataset}, whose networks are perceptrons on lag "
                "windows"
            )
        check_forecast_arms(arm_names)
        forecast_ranks = ranks or DEFAULT_RANKS
        check_forecast_ranks(forecast_ranks, dataset)
        folder = _folder(out, dataset)
        _run(
            partial(compare_forecasts, dataset, forecast_ranks, seeds, arm_names, device=chosen),
            partial(_report_forecasts, folder=folder),
        )
        return
    check_arms(arm_names)
    names = _FIRST if dataset is None else (dataset,)
    prepared = []
    for name in names:
        data = dataset_or_table(name, target, options, also=SERIES)
        kind = checked_estimator(estimator, data)
        checked_ranks(ranks, data, protocol_for(data.name, kind), kind)
        prepared.append(data)
    folders = []
    for data in prepared:
        below = out if out is None or len(prepared) == 1 else out / data.name
        folders.append(_folder(below, data.name))
    for data, folder in zip(prepared, folders, strict=True):
        if len(prepared) > 1:
            click.echo(("" if data is prepared[0] else "\n") + f"# {data.name}\n")
        _run(
            partial(compare, data, ranks, seeds, arm_names, estimator=estimator, device=chosen),
            partial(_report, folder=folder),
        )


def _folder(out: Path | None, name: str) -> Path:
    """Return the folder for the results, or raise an error if it cannot be written to."""
    folder = out or Path("deepreservoir-results") / name
    check_folder(folder)  # it is made when there are results
    return folder


def _place(folder: Path, comparison: Comparison | ForecastComparison) -> Path:
    """Return where to write: incomplete results do not replace complete ones."""
    if comparison.complete:
        return folder
    try:
        earlier = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        replaced = not earlier["complete"]
    except FileNotFoundError:
        replaced = True
    except (OSError, ValueError, KeyError, TypeError):  # a file of something else
        replaced = False
    return folder if replaced else folder / "incomplete"


def _run(work: Callable[..., Any], report: Callable[[Any], None]) -> None:
    """Run a comparison and report the results; if it is ended early, those of the finished runs."""

    def report_finished(comparison: Any) -> None:
        if comparison.records:
            report(comparison)
            early = isinstance(sys.exc_info()[1], KeyboardInterrupt)
            reason = "Interrupted" if early else "An error ended the comparison"
            click.echo(f"{reason}: the results of the finished runs are kept.", err=True)

    report(work(verbose=sys.stderr.isatty(), on_interrupt=report_finished))


def _report(comparison: Comparison, folder: Path) -> None:
    findings = comparison_findings(comparison)
    written: list[Path] = []
    picture: Path | None = None

    def write(place: Path) -> None:
        nonlocal picture
        place.mkdir(parents=True, exist_ok=True)
        written[:] = [comparison.save(place), save_table(comparison, place, findings)]
        picture = save_picture(comparison, place)

    # Write the files before printing: a closed pipe must not lose the results.
    failure = save(write, _place(folder, comparison), "the results")
    click.echo(table(comparison))
    for note in comparison.notes:
        click.echo(f"note: {note}")
    for topic, words in findings:
        click.echo(f"\n{topic}: {words}")
    if findings:
        click.echo()
    if failure is not None:
        raise failure
    _print_files(written, picture)


def _report_forecasts(comparison: ForecastComparison, folder: Path) -> None:
    written: list[Path] = []
    picture: Path | None = None

    def write(place: Path) -> None:
        nonlocal picture
        place.mkdir(parents=True, exist_ok=True)
        written[:] = [comparison.save(place), save_forecast_table(comparison, place)]
        picture = save_comparison_picture(comparison, place)

    failure = save(write, _place(folder, comparison), "the results")
    click.echo(forecast_table(comparison))
    if failure is not None:
        raise failure
    _print_files(written, picture)


def _print_files(written: list[Path], picture: Path | None) -> None:
    if picture is None:
        click.echo("No picture: matplotlib is missing (pip install 'deepreservoir[plot]').")
    else:
        written.append(picture)
    click.echo("Wrote " + ", ".join(str(path) for path in written))
