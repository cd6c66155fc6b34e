"""``deepreservoir fit``, ``predict`` and ``inspect``: models of a user's own tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import container
from ..artifact.persist import SAVED_DTYPES, load
from ..artifact.summary import describe
from ..datasets.columns import MISSING
from ..datasets.learning_table import TableOptions
from ..estimators import DeepReservoirClassifier, GINClassifier, TextTransformerClassifier
from ..experiments.tables.predictions import predict_table
from ..experiments.tables.sample_column import SampleKind, predict_samples
from ..experiments.tables.user_molecules import MOLECULES
from ..experiments.tables.user_table import fit_table, save_fitted
from ..experiments.tables.user_texts import TEXTS
from ..files import is_stream, write_whole
from .base import Numbers, checked_device, device_option, main
from .images import (
    check_image_options,
    fit_images,
    image_options,
    image_predictions,
    is_of_images,
)
from .molecules import check_molecule_options, check_rdkit, fit_molecules, smiles_option
from .saving import check_writable, save, save_model
from .scores import compared, scored
from .series import fit_series, is_of_series, series_columns, series_options, series_predictions
from .table_options import Names, echo_columns, format_options, table_options
from .texts import ESTIMATOR, check_text_options, check_tokenizers, fit_texts, text_options

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_file_or_folder = click.Path(exists=True, path_type=Path)
_new_file = click.Path(dir_okay=False, path_type=Path)


#: Estimators by what they read; those that are not listed have the defaults of the last one.
DEFAULTS_OF = {
    "tables": DeepReservoirClassifier,
    "texts": TextTransformerClassifier,
    "others": GINClassifier,
}


def _default(name: str) -> str:
    """Return the default of an estimator's parameter, for the help of an option."""
    words = {kind: _shown(getattr(cls, name)) for kind, cls in DEFAULTS_OF.items()}
    if len(set(words.values())) == 1:
        return f"[default: {words['tables']}]"
    return f"[default: {', '.join(f'{value} for {kind}' for kind, value in words.items())}]"


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


@main.command("fit")
@click.argument("table", type=_file_or_folder)
@click.option("--target", metavar="COLUMN", help="Column to predict; required for tables.")
@click.option("--save", "path", type=_new_file, required=True, help="File for the model.")
@series_options
@smiles_option
@text_options
@image_options
@table_options
@click.option(
    "--rank",
    type=click.IntRange(min=1),
    help="Rank of the adapters.  [default: 8, or less for narrow layers]",
)
@click.option(
    "--layers",
    "hidden_layer_sizes",
    type=Numbers(),
    help="Widths of the hidden layers.  "
    f"[default: {_shown(DeepReservoirClassifier.hidden_layer_sizes)}]",
)
@click.option(
    "--epochs",
    "max_iter",
    type=click.IntRange(min=1),
    help="Number of epochs; with --early-stopping, training may end earlier.  "
    f"{_default('max_iter')}",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help=f"Rows per training step.  {_default('batch_size')}",
)
@click.option(
    "--learning-rate",
    "learning_rate_init",
    type=float,
    help=f"Learning rate at the start.  {_default('learning_rate_init')}",
)
@click.option(
    "--weight-decay",
    type=float,
    help=f"Decay of the trained matrices.  {_default('weight_decay')}",
)
@click.option(
    "--early-stopping",
    is_flag=True,
    default=None,
    help="Hold out a tenth of the training rows, and keep the weights that are best on them.",
)
@click.option(
    "--bias/--no-bias",
    default=None,
    help=f"Train a bias in each hidden layer, or none.  [default: {DeepReservoirClassifier.bias}]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of all random numbers.",
)
@click.option(
    "--precision",
    type=click.Choice(SAVED_DTYPES),
    help="Store trained parameters in 16 bits, or matrices in 8 or 6.  [default: 32 bits]",
)
@click.option(
    "--checkpoint",
    type=_new_file,
    help="Checkpoint, rewritten every 10 seconds; an interrupted training continues from it.",
)
@device_option
def fit_command(
    table: Path,
    target: str | None,
    path: Path,
    options: TableOptions,
    rank: int | None,
    seed: int,
    precision: str | None,
    checkpoint: Path | None,
    device: str,
    estimator: str | None,
    smiles: str | None,
    text: str | None,
    vocabulary: Path | None,
    max_length: int | None,
    id: str | None,
    time: str | None,
    channels: tuple[str, ...],
    image_size: tuple[int, ...] | None,
    augmentation: tuple[str, ...],
    skip_broken: bool | None,
    **given: Any,
) -> None:
    """Fit a model on a table, or on a folder of images, and save it.

    TABLE is a CSV file, which may be compressed with gzip. What each column is taken for is
    printed before training: numbers are standardised, text is one-hot encoded, dates become
    numbers, and identifiers and constants are left out. A fifth of the rows is held out for the
    score, on which the model is also compared with a linear model.

    \b
        deepreservoir fit data.csv --target price --save model.safetensors
        deepreservoir predict model.safetensors new.csv

    With --smiles, TABLE has one row per molecule, which RDKit reads; a graph isomorphism network is
    fitted on their graphs.

    \b
        deepreservoir fit molecules.csv --smiles smiles --target active --save m

    With --text, TABLE has one row per text; a Transformer encoder is fitted on them, and is
    compared with a linear model of their words.

    \b
        deepreservoir fit reviews.csv --text review --target label --save m

    With --estimator cfc, TABLE is a long table of series, with one row per series and time. Empty
    cells stand for values that were not observed, and a fifth of the series is held out.

    \b
        deepreservoir fit series.csv --estimator cfc --id patient --time t --target y --save m

    If TABLE is a folder, each of its subfolders has the images of one class.

    \b
        deepreservoir fit flowers/ --estimator vit --augmentation crop,flip --save m
    """
    chosen = checked_device(device)
    for new in filter(None, (path, checkpoint)):
        check_writable(new, table)
    if checkpoint is not None and checkpoint.resolve() == path.resolve():
        raise click.UsageError(f"--checkpoint and --save are the same file, {path}; name two files")
    estimator = estimator or _estimator_for(table, smiles, text)
    images = {
        "image_size": image_size,
        "augmentation": augmentation,
        "skip_broken": skip_broken,
    }
    of_images = check_image_options(table, estimator, target, options, given, images)
    if target is None and not of_images:
        raise click.UsageError("Missing option '--target': the column to predict")
    columns = series_columns(estimator, options, given, id=id, time=time, channels=channels)
    if smiles is not None or estimator == "gin":
        check_molecule_options(estimator, smiles, options, given)
    of_texts = {"vocabulary": vocabulary, "max_length": max_length}
    check_text_options(estimator, text, options, given, of_texts)
    params = {name: value for name, value in given.items() if value is not None}
    params |= {"rank": "auto" if rank is None else rank, "random_state": seed, "device": chosen}
    params["checkpoint"] = checkpoint
    if of_images:
        fit_images(table, path, estimator, precision, images, **params)
        return
    params["target"] = target
    if columns is not None:
        fit_series(table, path, columns, precision, **params)
    elif smiles is not None:
        fit_molecules(table, path, smiles, options, precision, **params)
    elif text is not None:
        params |= {name: value for name, value in of_texts.items() if value is not None}
        fit_texts(table, path, text, options, precision, **params)
    else:
        _fit_rows(table, path, options, precision, **params)


def _fit_rows(
    table: Path, path: Path, options: TableOptions, precision: str | None, **params: Any
) -> None:
    """Fit a perceptron on the rows of a table, save it, and print the scores."""
    fitted = fit_table(table, options=options, on_read=echo_columns, **params)
    score, n = scored(fitted.task, fitted.score), len(fitted.held_out[1])
    lines = compared(score, "rows", n, fitted.references)
    save_model(fitted.model[-1], lambda place: save_fitted(fitted, place, precision), path, lines)


def _estimator_for(source: Path, smiles: str | None, text: str | None) -> str:
    """Return the estimator that is used unless one is named."""
    if source.is_dir():
        return "vit"
    if text is not None:
        return ESTIMATOR
    return "perceptron" if smiles is None else "gin"


@main.command("predict")
@click.argument("model", type=_file)
@click.argument("table", type=_file_or_folder)
@click.option("--proba", is_flag=True, help="Also write the probability of each class.")
@click.option("--keep", type=Names(), default=(), help="Columns of the table to write as well.")
@click.option(
    "--missing",
    type=click.Choice(MISSING),
    help="Missing cells: refuse them, or take the mean.  [default: as in fit]",
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first row has the names of the columns.  [default: as in fit]",
)
@click.option("--skip-broken", is_flag=True, help="Leave out image files that cannot be decoded.")
@format_options
@click.option("--out", type=_new_file, help="CSV file for the predictions.  [default: print them]")
@device_option
def predict_command(
    model: Path,
    table: Path,
    proba: bool,
    keep: tuple[str, ...],
    missing: str | None,
    header: bool | None,
    skip_broken: bool,
    delimiter: str,
    encoding: str | None,
    out: Path | None,
    device: str,
) -> None:
    """Predict the rows of a table with a saved model.

    TABLE is a CSV file with the columns that the model was fitted on, which are read as they were
    then. Other columns, including the target, are ignored. A model of series predicts one value
    per series, one of molecules reads their SMILES, and one of texts their column. For a model of
    images, TABLE is an image or a folder of images.

    \b
        deepreservoir predict model.safetensors new.csv
        deepreservoir predict model.safetensors new.csv --proba --keep id --out predictions.csv
    """
    chosen = checked_device(device)
    if out is not None:
        for source in (model, table):
            check_writable(out, source)
    of_images = is_of_images(model)
    if table.is_dir() and not of_images:
        raise click.UsageError(f"{table} is a folder; {model} reads a CSV file")
    of_series = not of_images and is_of_series(model)
    if skip_broken and not of_images:
        raise click.UsageError(f"--skip-broken is for models of images; {model} reads a CSV file")
    if of_images or of_series:
        _refuse_reading_options(
            "images" if of_images else "series", keep, missing, header, delimiter, encoding
        )
    if of_images:
        text = image_predictions(model, table, chosen, proba, skip_broken)
    elif of_series:
        text = series_predictions(model, table, chosen, proba)
    elif (kind := _sample_kind(model)) is not None:
        predictions = predict_samples(
            kind,
            model,
            table,
            chosen,
            delimiter=delimiter,
            encoding=encoding,
            proba=proba,
            keep=keep,
        )
        text = predictions.to_csv()
    else:
        predictions = predict_table(
            model,
            table,
            chosen,
            header=header,
            delimiter=delimiter,
            encoding=encoding,
            missing=missing,
            proba=proba,
            keep=keep,
        )
        text = predictions.to_csv()
    if out is None:
        click.echo(text, nl=False)
        return
    failure = save(lambda place: write_whole(place, text.encode()), out, "the predictions")
    if failure is not None:
        raise failure
    if not is_stream(out):
        click.echo(f"Wrote {out}")


def _refuse_reading_options(
    kind: str,
    keep: tuple[str, ...],
    missing: str | None,
    header: bool | None,
    delimiter: str,
    encoding: str | None,
) -> None:
    """Raise an error if an option is given that is for models with one row per prediction."""
    given = {
        "--keep": bool(keep),
        "--missing": missing is not None,
        "--header and --no-header": header is not None,
        "--delimiter": delimiter != ",",
        "--encoding": encoding is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise click.UsageError(f"{name}: for tables with one row per prediction, not {kind}")


def _sample_kind(model: Path) -> SampleKind | None:
    """Return the kind of samples whose column a model reads, or None.

    Raises
    ------
    click.ClickException
        If the library that reads such samples is not installed.
    """
    contents = container.read(model)
    for kind, check_library in ((MOLECULES, check_rdkit), (TEXTS, check_tokenizers)):
        if kind.is_read_by(contents):
            check_library()
            return kind
    return None


@main.command("inspect")
@click.argument("model", type=_file)
@click.option(
    "--check", is_flag=True, help="Also draw the frozen weights and compare their digests."
)
def inspect_command(model: Path, check: bool) -> None:
    """Describe a saved model: sizes, trained parameters, betas, digests, cost of fewer bits.

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
