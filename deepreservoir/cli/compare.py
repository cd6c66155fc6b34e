"""``deepreservoir compare``: adapters beside full training and controls."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ..backend import resolve_device
from ..datasets import DATASETS, Dataset, load_dataset, read_table
from ..experiments import (
    ARMS,
    Comparison,
    check_arms,
    checked_ranks,
    compare,
    protocol_for,
    save_picture,
    save_table,
    table,
)
from .base import Numbers, main


@main.command("compare")
@click.argument("dataset", default="digits")
@click.option("--target", metavar="COLUMN", help="Column to predict, for a table.")
@click.option("--ranks", type=Numbers(), default="1,2,4,8", show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--arms", default=",".join(ARMS), show_default=True, help="Which, by commas.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto takes a GPU where CuPy finds one.",
)
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
    arms: str,
    device: str,
    out: Path | None,
) -> None:
    """How many trained numbers does a task need on a frozen random network?

    DATASET is digits (the default, comes with the package), mnist or fashion_mnist, or a
    CSV file with a header:

    \b
        deepreservoir compare
        deepreservoir compare mnist --ranks 1,8,32 --seeds 5
        deepreservoir compare measurements.csv --target price

    Adapters at each rank stand beside the fully trained network, a dense network of the same
    stored bytes, and controls: no scaffold, scaffold removed after training, wrong seed,
    random features with a ridge readout, logistic regression. Scores are on held-out rows,
    mean and standard deviation over seeds.
    """
    wanted = check_arms(arms.split(","))
    resolve_device(device)  # refused before a data set is loaded, let alone downloaded
    data = _dataset(dataset, target)
    folder = out or Path("deepreservoir-results") / data.name
    checked_ranks(ranks, data, protocol_for(data.name))
    folder.mkdir(parents=True, exist_ok=True)  # refuse a folder that cannot be before training
    if not os.access(folder, os.W_OK):
        raise click.ClickException(f"--out {folder} cannot be written to; name another folder")

    def keep(comparison: Comparison) -> None:
        if comparison.records:
            _report(comparison, folder)
            click.echo("Interrupted: the runs that were finished are kept.", err=True)

    comparison = compare(
        data,
        ranks,
        seeds,
        wanted,
        device=device,
        verbose=sys.stderr.isatty(),
        on_interrupt=keep,
    )
    _report(comparison, folder)


def _dataset(name: str, target: str | None) -> Dataset:
    if name in DATASETS:
        if target is not None:
            raise click.UsageError(f"--target goes with a table; {name} has its own target")
        return load_dataset(name)
    if not Path(name).is_file():
        raise click.UsageError(
            f"DATASET must be one of {', '.join(DATASETS)} or a CSV file; there is no file {name}"
        )
    if target is None:
        raise click.UsageError(f"a table needs --target COLUMN; which column of {name}?")
    return read_table(name, target)


def _report(comparison: Comparison, folder: Path) -> None:
    # Kept first, told afterwards: a closed pipe must not cost the results.
    written = [comparison.save(folder), save_table(comparison, folder)]
    picture = save_picture(comparison, folder)
    click.echo(table(comparison))
    for note in comparison.notes:
        click.echo(f"note: {note}")
    if picture is None:
        click.echo("No picture: it needs matplotlib (pip install 'deepreservoir[plot]').")
    else:
        written.append(picture)
    click.echo("Wrote " + ", ".join(str(path) for path in written))
