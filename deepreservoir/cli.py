"""The command line: parse, call, print."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from . import __version__
from .backend import resolve_device
from .datasets import DATASETS, Dataset, DatasetUnavailable, load_dataset, read_table
from .experiments import (
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
from .scaffold import FAMILIES, STORAGES, ScaffoldSpec, make_scaffold

# Drawing more than this for a look at its statistics is refused with a word.
_MAX_WEIGHTS = 1 << 30
_MAX_ALGEBRA = 1 << 24  # for families that need a decomposition of the whole


class Group(click.Group):
    """A group whose commands answer bad input in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ValueError, DatasetUnavailable, ArithmeticError) as error:
            raise click.ClickException(str(error)) from error
        except MemoryError as error:
            raise click.ClickException(f"not enough memory: {error}") from error
        except OSError as error:
            what = error.strerror or str(error)
            raise click.ClickException(f"{error.filename or 'file'}: {what}") from error


class Numbers(click.ParamType):
    """Whole numbers, separated by commas."""

    name = "n,n,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"expected whole numbers such as 1,2,4; got {value!r}", param, ctx)


class Shape(click.ParamType):
    """Two whole numbers, as in 512x784."""

    name = "ROWSxCOLS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        parts = str(value).lower().split("x")
        if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"expected d_out x d_in such as 512x784; got {value!r}", param, ctx)
        return int(parts[0]), int(parts[1])


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Deep networks as reservoirs: weights from a seed, a few kilobytes trained."""


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


@main.command("scaffold")
@click.option("--family", type=click.Choice(list(FAMILIES)), default="normal", show_default=True)
@click.option("--shape", type=Shape(), required=True, help="d_out x d_in.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--path", "layer", default="layers.0", show_default=True, help="Path of the layer.")
@click.option("--scale", default="1.0", show_default=True, help="A gain, or 'family'.")
@click.option("--storage", type=click.Choice(STORAGES), default="auto", show_default=True)
def scaffold_command(
    family: str, shape: tuple[int, int], seed: int, layer: str, scale: str, storage: str
) -> None:
    """Draw the frozen weights of one layer; print their statistics and digest.

    \b
        deepreservoir scaffold --family binary --shape 512x784 --seed 42

    The digest is the SHA-256 of the weights' bytes: equal digests are equal weights, on any
    machine.
    """
    algebra = FAMILIES[family].kind in ("orthogonal", "spectral")
    limit = _MAX_ALGEBRA if algebra else _MAX_WEIGHTS
    if shape[0] * shape[1] > limit:
        raise click.ClickException(
            f"--shape {shape[0]}x{shape[1]} is over the limit of {limit:,} weights for {family}"
        )
    try:
        gain: float | str = scale if scale == "family" else float(scale)
    except ValueError:
        raise click.BadParameter(
            f"expected a gain or 'family'; got {scale!r}", param_hint="--scale"
        ) from None
    spec = ScaffoldSpec(family, shape, seed, layer, gain)
    drawn = make_scaffold(spec, storage)
    weights = drawn.dense()
    click.echo(f"family     {family}: {FAMILIES[family].summary}")
    click.echo(f"shape      {shape[0]} x {shape[1]} (d_out x d_in), path {layer}, seed {seed}")
    click.echo(f"storage    {drawn.storage}, {drawn.nbytes:,} bytes (dense: {weights.nbytes:,})")
    click.echo(f"mean       {weights.mean(dtype=float):+.6f}")
    click.echo(f"deviation  {weights.std(dtype=float):.6f}")
    click.echo(f"range      {weights.min():+.6f} to {weights.max():+.6f}")
    click.echo(f"zeros      {(weights == 0).mean():.4f}")
    click.echo(f"digest     {drawn.digest()}")


if __name__ == "__main__":
    main()
