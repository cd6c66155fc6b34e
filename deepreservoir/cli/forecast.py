"""``deepreservoir forecast``: forecast a user's own time series."""

from __future__ import annotations

from pathlib import Path

import click

from ..datasets.series import read_series
from ..experiments.forecasts.forecast import (
    DEFAULTS,
    Forecast,
    check_picture,
    forecast_series,
    save_forecast,
    save_forecast_picture,
)
from .base import checked_device, device_option, main
from .saving import check_writable


class Names(click.ParamType):
    """Comma-separated names of columns."""

    name = "name,name,..."

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        names = tuple(part.strip() for part in str(value).split(","))
        if not all(names) or len(set(names)) < len(names):
            self.fail(f"expected distinct column names, such as a,b; got {value!r}")
        return names


@main.command("forecast")
@click.argument("series", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--horizon",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Number of steps to forecast.",
)
@click.option("--columns", type=Names(), help="Columns to forecast.  [default: all numeric ones]")
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
@click.option("--spectral-radius", default=DEFAULTS["spectral_radius"], show_default=True)
@click.option("--leak-rate", default=DEFAULTS["leak_rate"], show_default=True)
@click.option("--input-scaling", default=DEFAULTS["input_scaling"], show_default=True)
@click.option(
    "--washout", type=click.IntRange(min=0), help="Initial rows not trained on.  [default: 100]"
)
@click.option("--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True)
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

    SERIES is a CSV file with a header: one row per step, oldest first, one column per variable.

    \b
        deepreservoir forecast series.csv --horizon 500 --plot out.png
        deepreservoir forecast series.csv --test 200

    The network is trained to predict the next row. To forecast, its output is fed back as its
    input. With --test, the last rows are first held out, forecast and compared.
    """
    chosen = checked_device(device)
    target = out or Path(f"{series.stem}-forecast.csv")
    for path in filter(None, (target, plot)):
        check_writable(path, series)
    if plot is not None:
        if plot.resolve() == target.resolve():
            raise click.UsageError(f"--plot and --out are the same file, {plot}; name two files")
        check_picture(plot)
    values, names = read_series(series, columns)
    forecast = forecast_series(
        values,
        horizon,
        names,
        test=test,
        washout=washout,
        seed=seed,
        device=chosen,
        units=units,
        spectral_radius=spectral_radius,
        leak_rate=leak_rate,
        input_scaling=input_scaling,
    )
    written = [save_forecast(forecast, target)]
    if plot is not None:
        written.append(save_forecast_picture(forecast, plot))
    _print_summary(forecast)
    click.echo("Wrote " + ", ".join(str(path) for path in written))


def _print_summary(forecast: Forecast) -> None:
    n = len(forecast.history)
    click.echo(f"series       {n:,} rows of {', '.join(forecast.names)}")
    click.echo(f"trained      {forecast.trained:,} parameters, ridge penalty {forecast.penalty:g}")
    held = forecast.held_out
    if held is not None:
        steps = len(held.values)
        click.echo(f"held out     the last {steps} rows, forecast from the rows before them")
        click.echo(f"  NRMSE      {held.nrmse:.4g} (persistence: ", nl=False)
        click.echo(f"{held.persistence_nrmse:.4g})")
        click.echo(f"  valid for  {held.valid_time} of {steps} steps (persistence: ", nl=False)
        click.echo(f"{held.persistence_valid_time}), error below 0.4 standard deviations")
    click.echo(f"forecast     {len(forecast.values):,} steps beyond the last row")
    if forecast.diverged:
        click.echo(
            "warning: the forecast leaves the range of the series; try a lower "
            "--spectral-radius or --input-scaling, or a shorter --horizon",
            err=True,
        )
