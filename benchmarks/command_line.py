"""The group of commands, and the options that they share."""

from __future__ import annotations

from pathlib import Path

import click

from .store import RESULTS

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Folder for the JSON file.",
)


#: Packages of which a record on a GPU names the version.
CUPY = ("cupy-cuda12x", "cupy-cuda13x", "nvmath-python", "torch")

device_option = click.option(
    "--device", default="cpu", show_default=True, help="Where to train: cpu, cuda or cuda:N."
)


@click.group()
def main() -> None:
    """Benchmark deepreservoir; results are stored with machine, versions and date."""
