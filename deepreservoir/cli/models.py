"""``deepreservoir fit``, ``predict`` and ``inspect``: models of a user's own tables."""

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
@click.option("--save", "path", type=_new_file, required=True, help="File for the model.")
@click.option(
    "--rank",
    type=click.IntRange(min=1),
    help="Rank of the adapters.  [default: 8, or less for narrow layers]",
)
@click.option(
    "--layers",
    type=Numbers(),
    default="256,128",
    show_default=True,
    help="Widths of the hidden layers.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Maximum number of epochs.",
)
@click.option("--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True)
@click.option(
    "--precision",
    type=click.Choice(SHORT_DTYPES),
    help="Store the trained parameters in 16 bits.  [default: 32 bits]",
)
@click.option(
    "--checkpoint",
    type=_new_file,
    help="Checkpoint, rewritten every 10 seconds; an interrupted training continues from it.",
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
    """Fit a model on a table and save it.

    TABLE is a CSV file with a header. Numeric columns are standardised; text columns are one-hot
    encoded, with one feature per distinct value. A fifth of the rows is held out for the score.

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
    click.echo(f"{metric} {fitted.score:.4f} on {len(fitted.held_out[1]):,} held-out rows")
    click.echo(
        f"{model.n_trained_params_:,} parameters trained in {model.n_iter_} epochs, "
        f"{model.n_scaffold_params_:,} frozen"
    )
    click.echo(f"Wrote {path}, {path.stat().st_size:,} bytes")


@main.command("predict")
@click.argument("model", type=_file)
@click.argument("table", type=_file)
@click.option("--out", type=_new_file, help="CSV file for the predictions.  [default: print them]")
@device_option
def predict_command(model: Path, table: Path, out: Path | None, device: str) -> None:
    """Predict the rows of a table with a saved model.

    TABLE is a CSV file with the columns that the model was fitted on. Other columns, including
    the target, are ignored.

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
@click.option(
    "--check", is_flag=True, help="Also draw the frozen weights and compare their digests."
)
def inspect_command(model: Path, check: bool) -> None:
    """Describe a saved model: sizes, trained parameters, betas, digests, loss from 16 bits.

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
        click.echo(
            f"{'checked':{width}}  the frozen weights drawn on this machine have these digests"
        )
