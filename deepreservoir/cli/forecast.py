"""``deepreservoir forecast``: forecast a user's own time series."""

from __future__ import annotations

from pathlib import Path

import click

from ..datasets.series import TimeSeries, read_time_series
from ..experiments.forecasts.forecast import DEFAULTS, forecast_series
from ..experiments.forecasts.frames import gaps
from ..experiments.forecasts.output import conclusions, forecast_csv, save_forecast
from ..experiments.forecasts.picture import check_picture, save_forecast_picture
from ..experiments.forecasts.results import Forecast, Score
from ..files import is_stream
from ..printable import printable
from .base import checked_device, device_option, main
from .saving import check_writable
from .table_options import Names


@main.command("forecast")
@click.argument("series", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--horizon",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Number of steps to forecast.",
)
@click.option(
    "--columns",
    type=Names(),
    help="Columns to forecast.  [default: all numeric ones that do not count the rows]",
)
@click.option("--drop", type=Names(), default=(), help="Columns to ignore.")
@click.option(
    "--time", metavar="COLUMN", help="Column of times.  [default: the first one that holds times]"
)
@click.option("--no-header", is_flag=True, help="The first row is data; columns are 1, 2, ...")
@click.option("--delimiter", default=",", help="Character between cells.  [default: a comma]")
@click.option("--encoding", help="Encoding of the file.  [default: utf-8]")
@click.option(
    "--interval",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.9,
    show_default=True,
    help="Level of the prediction intervals; 0 computes none.",
)
@click.option(
    "--test",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of last rows to hold out and compare.",
)
@click.option(
    "--units",
    type=click.IntRange(min=1),
    default=DEFAULTS["units"],
    show_default=True,
    help="Size of the reservoir.",
)
@click.option(
    "--spectral-radius",
    default=DEFAULTS["spectral_radius"],
    show_default=True,
    help="Spectral radius of the recurrent weights; lower it if a forecast diverges.",
)
@click.option(
    "--leak-rate",
    default=DEFAULTS["leak_rate"],
    show_default=True,
    help="Leak rate, in (0, 1]; lower it for slow series.",
)
@click.option(
    "--input-scaling",
    default=DEFAULTS["input_scaling"],
    show_default=True,
    help="Bound of the input weights.",
)
@click.option(
    "--washout",
    type=click.IntRange(min=0),
    help="Initial rows not trained on.  [default: the smaller of 100 and a tenth of the rows]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of the reservoir.",
)
@device_option
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for a picture: .png, .svg, .pdf or .jpg.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file for the forecast.  [default: NAME-forecast.csv]",
)
def forecast_command(
    series: Path,
    horizon: int,
    columns: tuple[str, ...] | None,
    drop: tuple[str, ...],
    time: str | None,
    no_header: bool,
    delimiter: str,
    encoding: str | None,
    interval: float,
    test: int,
    units: int,
    spectral_radius: float,
    leak_rate: float,
    input_scaling: float,
    washout: int | None,
    seed: int,
    device: str,
    plot: Path | None,
    out: Path | None,
) -> None:
    """Forecast a time series with an echo-state network.

    SERIES is a CSV file: one row per step, one column per variable. Rows are sorted by a column of
    dates, years or Unix times if there is one; otherwise the oldest row is the first.

    \b
        deepreservoir forecast series.csv --horizon 500 --plot out.png
        deepreservoir forecast series.csv --test 200

    The network is trained to predict the next row. To forecast, its output is fed back as its
    input. With --test, the last rows are first held out, forecast and compared.
    """
    chosen = checked_device(device)
    stem = Path(series.stem).stem if series.suffix == ".gz" else series.stem
    target = out or Path(f"{stem}-forecast.csv")
    for path in filter(None, (target, plot)):
        check_writable(path, series)
    if plot is not None:
        if plot.resolve() == target.resolve():
            raise click.UsageError(f"--plot and --out are the same file, {plot}; name two files")
        check_picture(plot)
    read = read_time_series(
        series,
        columns,
        drop=drop,
        time=time,
        header=not no_header,
        delimiter=delimiter,
        encoding=encoding,
    )
    forecast = forecast_series(
        read.values,
        horizon,
        read.names,
        test=test,
        interval=interval or None,
        times=read.times,
        washout=washout,
        seed=seed,
        device=chosen,
        units=units,
        spectral_radius=spectral_radius,
        leak_rate=leak_rate,
        input_scaling=input_scaling,
    )
    # Write the files before printing: a closed pipe must not lose the forecast.
    written, failure = _write(forecast, target, plot, stem)
    _print_series(read)
    _print_summary(forecast)
    if target not in written:
        click.echo(forecast_csv(forecast), nl=False)
    if failure is not None:
        raise failure
    files = [str(path) for path in written if not is_stream(path)]
    if files:
        click.echo(f"Wrote {', '.join(files)}")


def _write(
    forecast: Forecast, target: Path, plot: Path | None, stem: str
) -> tuple[list[Path], click.ClickException | None]:
    """Write the forecast and its picture; return what was written, and the error to raise."""
    try:
        save_forecast(forecast, target)
    except OSError as error:
        return [], click.ClickException(
            f"the forecast could not be written to {target}: {error.strerror or error}; it is "
            "printed above"
        )
    if plot is None:
        return [target], None
    try:
        save_forecast_picture(forecast, plot, stem)
    except OSError as error:
        return [target], click.ClickException(
            f"the picture could not be written to {plot}: {error.strerror or error}; the forecast "
            f"is in {target}"
        )
    return [target, plot], None


def _print_series(read: TimeSeries) -> None:
    click.echo(f"series       {len(read.values):,} rows of {', '.join(map(printable, read.names))}")
    if read.times is not None:
        order = {"": "", "newest first": "; the file is newest first, and was sorted"}
        was = order.get(read.sorted_from, "; the file is not in this order, and was sorted")
        click.echo(f"time         {printable(read.times.name)}: {read.times}{was}")
        note = gaps(read.times)
        if note:
            click.echo(f"warning: {note}", err=True)
    if read.left_out:
        each = (f"{printable(name) or '(no name)'} ({why})" for name, why in read.left_out.items())
        click.echo(f"left out     {', '.join(each)}")
    if read.unread_times is not None:
        click.echo(
            f"warning: column {read.unread_times!r} could not be read as times, so that the rows "
            "are taken in the order of the file, the oldest first",
            err=True,
        )


def _print_summary(forecast: Forecast) -> None:
    click.echo(f"trained      {forecast.trained:,} parameters, ridge penalty {forecast.penalty:g}")
    held = forecast.held_out
    if held is not None:
        steps = len(held.values)
        click.echo(f"held out     the last {steps:,} rows, forecast from the rows before them")
        others = {"persistence": held.persistence, "seasonal": held.seasonal}
        scores = {name: score for name, score in others.items() if score is not None}
        click.echo(f"  NRMSE      {held.nrmse:.4g} ({_each(scores, 'nrmse')})")
        click.echo(
            f"  valid for  {held.valid_time} of {steps} steps ({_each(scores, 'valid_time')}), "
            "error below 0.4 standard deviations"
        )
        if held.coverage is not None:
            first = (
                "" if len(held.half_widths) == steps else f" at the first {len(held.half_widths)}"
            )
            click.echo(
                f"  intervals  contain {100 * held.coverage:.1f} % of the values{first}, "
                f"for a level of {100 * (forecast.interval or 0):g} %"
            )
    _print_forecast(forecast)
    for sentence in conclusions(forecast):
        click.echo(sentence)


def _each(scores: dict[str, Score], name: str) -> str:
    return ", ".join(f"{method}: {getattr(score, name):.4g}" for method, score in scores.items())


def _print_forecast(forecast: Forecast) -> None:
    horizon = len(forecast.values)
    when = "beyond the last row"
    if forecast.times is not None:
        after = forecast.times.after(horizon)
        first, last = forecast.times.text(after[[0, -1]])
        when = f"from {first} to {last}" if horizon > 1 else first
    click.echo(f"forecast     {horizon:,} step{'' if horizon == 1 else 's'} {when}")
    if forecast.interval is None:
        return
    level = f"{100 * forecast.interval:g} %"
    tested = forecast.backtest
    if tested is None:
        click.echo(f"intervals    none: the series has too few rows for intervals of {level}")
        return
    if forecast.diverged:
        click.echo("intervals    none: the forecast leaves the range of the series")
        return
    note = "" if tested.horizon == horizon else f" at the first {tested.horizon:,} steps, beyond "
    click.echo(
        f"intervals    {level}, from the errors of {tested.n_windows:,} earlier forecasts"
        + (f"; only{note}which the series is too short" if note else "")
    )
