"""``deepreservoir sweep``: run a declared grid with its controls."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..reports import beside_table, summary_table
from ..sweeps import Folder, dask_cluster, read_sweep, run_sweep
from .base import checked_device, device_option, main
from .saving import check_folder


@main.command("sweep")
@click.argument("declaration", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the records.  [default: deepreservoir-results/NAME]",
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes on this machine.  [default: 1]"
)
@click.option("--scheduler", metavar="ADDRESS", help="Run on a Dask cluster instead.")
@device_option
def sweep_command(
    declaration: Path, out: Path | None, workers: int | None, scheduler: str | None, device: str
) -> None:
    """Run a declared grid on several seeds, with controls.

    DECLARATION is a TOML file.

    \b
        deepreservoir sweep ranks.toml --out ranks --workers 2
        deepreservoir sweep ranks.toml --scheduler tcp://10.0.0.1:8786

    Each run is recorded when it ends. If a sweep was stopped, the same command continues it;
    failed runs are tried once more. The shortest declaration is:

    \b
        dataset = "digits"
        [grid]
        rank = [1, 2, 4]
    """
    if workers is not None and scheduler is not None:
        raise click.UsageError(
            "--workers is for processes on this machine, --scheduler for a cluster; use only one"
        )
    # On a cluster, the workers must have the device.
    chosen = checked_device(device) if scheduler is None else device
    sweep = read_sweep(declaration)
    folder = out or Path("deepreservoir-results") / sweep.name
    check_folder(folder)
    executor = None if scheduler is None else dask_cluster(scheduler, device=device)
    try:
        result = run_sweep(
            sweep,
            folder,
            workers=workers or 1,
            executor=executor,
            device=chosen,
            verbose=sys.stderr.isatty(),
        )
    except OSError:
        _report_finished(folder)
        raise
    except KeyboardInterrupt:
        if folder.is_dir():
            click.echo(
                f"Interrupted: the finished runs are in {folder}; run the same command again to "
                "continue.",
                err=True,
            )
        raise
    _report(result)


def _report_finished(folder: Path) -> None:
    """Print the runs that were recorded before a record could not be written."""
    try:
        finished = Folder(folder)
        if finished.records():
            click.echo(summary_table(finished))
    except (OSError, ValueError):  # there is no sweep in the folder yet
        return


def _report(folder: Folder) -> None:
    click.echo(summary_table(folder))
    if folder.sweep.published is not None:
        click.echo(f"\n{beside_table(folder)}")
    click.echo(f"Wrote {folder.path}")
    adapters = [record for record in folder.records() if record["arm"] == "adapter"]
    if adapters and all("error" in record for record in adapters):
        raise click.ClickException(
            f"all {len(adapters)} runs of adapters failed, the first with: {adapters[0]['error']}"
        )
