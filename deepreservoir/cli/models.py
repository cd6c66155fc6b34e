"""``deepreservoir fit``, ``predict`` and ``inspect``: models of a user's own tables, as files."""

from __future__ import annotations

from pathlib import Path

import click

from ..artifact.persist import load
from ..artifact.summary import describe
from ..container import SHORT_DTYPES
from ..experiments.tables.user_table import fit_table, predict_table, predictions_csv, save_fitted
from ..files import write_whole
from .base import Numbers, check_writable, checked_device, device_option, main

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_new_file = click.Path(dir_okay=False, path_type=Path)


@main.command("fit")
@click.argument("table", type=_file)
@click.option("--target", metavar="COLUMN", required=True, help="Column to predict.")
@click.option("--save", "path", type=_new_file, required=True, help="File of the model.")
@click.option("--rank", type=click.IntRange(min=1), help="Of the adapters.  [default: 8, or less]")
@click.option("--layers", type=Numbers(), default="256,128", show_default=True, help="Widths.")
@click.option("--epochs", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True)
@click.option(
    "--precision",
    type=click.Choice(SHORT_DTYPES),
    help="Keep the trained numbers in 16 bits.  [default: 32 bits]",
)
@click.option(
    "--checkpoint",
    type=_new_file,
    help="File that says where training stands; a run that was killed goes on from it.",
)
@device_option
def fit_command(
    table: Path,
    target: str,
    path: Path,
    rank: int | None,
    layers: tuple[int, ...],
    epochs: int,
    seed: int,
    precision: str | None,
    checkpoint: Path | None,
    device: str,
) -> None:
    """Fit a model on a table and save it: a seed and a few kilobytes.

    TABLE is a CSV file with a header. Columns of numbers are standardised, columns of words
    become a feature a word. A fifth of the rows is held out, to tell how good the model is.

    \b
        deepreservoir fit data.csv --target price --save model.safetensors
        deepreservoir predict model.safetensors new.csv
    """
    chosen = checked_device(device)
    for new in filter(None, (path, checkpoint)):
        check_writable(new, table)
    fitted = fit_table(
        table,
        target,
        checkpoint,
        hidden_layer_sizes=layers,
        rank="auto" if rank is None else rank,
        max_iter=epochs,
        random_state=seed,
        device=chosen,
    )
    save_fitted(fitted, path, precision)
    model = fitted.model[-1]
    metric = "accuracy" if fitted.task == "classification" else "R^2"
    click.echo(f"{metric} {fitted.score:.4f} on {len(fitted.held_out[1]):,} rows held out")
    click.echo(
        f"{model.n_trained_params_:,} numbers trained in {model.n_iter_} epochs, "
        f"{model.n_scaffold_params_:,} frozen"
    )
    click.echo(f"Wrote {path}, {path.stat().st_size:,} bytes")


@main.command("predict")
@click.argument("model", type=_file)
@click.argument("table", type=_file)
@click.option("--out", type=_new_file, help="CSV file of the predictions.  [default: print them]")
@device_option
def predict_command(model: Path, table: Path, out: Path | None, device: str) -> None:
    """Predict the rows of a table with a saved model.

    TABLE is a CSV file with the columns that the model was fitted on; others, the target among
    them, are not read.

    \b
        deepreservoir predict model.safetensors new.csv
        deepreservoir predict model.safetensors new.csv --out predictions.csv
    """
    chosen = checked_device(device)
    if out is not None:
        for source in (model, table):
            check_writable(out, source)
    text = predictions_csv(*predict_table(model, table, chosen))
    if out is None:
        click.echo(text, nl=False)
        return
    write_whole(out, text.encode())
    click.echo(f"Wrote {out}")


@main.command("inspect")
@click.argument("model", type=_file)
@click.option("--check", is_flag=True, help="Draw the frozen weights too, and compare digests.")
def inspect_command(model: Path, check: bool) -> None:
    """Tell what a saved model is: sizes, trained numbers, betas, digests, cost of 16 bits.

    \b
        deepreservoir inspect model.safetensors
        deepreservoir inspect model.safetensors --check
    """
    rows = describe(model)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:{width}}  {value}")
    if check:
        load(model)
        click.echo(f"{'checked':{width}}  the frozen weights drawn here have these digests")
