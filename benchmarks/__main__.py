"""``python -m benchmarks``: the paper's tasks, speed and memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from deepreservoir.backend import Device, cuda_problem
from deepreservoir.datasets import DatasetUnavailable, load_dataset

from . import (
    declared,
    defaults,
    device_speed,
    echo,
    files,
    flower_pictures,
    forecasting,
    graph_speed,
    image_speed,
    jax_peers,
    memory,
    mnist,
    molecules,
    quantised,
    seed_gating,
    series,
    sklearn_mlp,
    speed,
    step_parts,
    tables,
    text_speed,
    torch_peers,
)
from . import large_models as large_models
from .command_line import CUPY, device_option, main, out_option
from .contenders import THREADS
from .device_speed import device_name
from .store import store

# Tasks on MNIST of the command `run`; the others are declared sweeps.
_TASKS = {"mnist": mnist, "mnist_seed_gating": seed_gating}


@main.command("run")
@click.argument("task", type=click.Choice([*_TASKS, *declared.NAMES]))
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
@device_option
@out_option
@click.pass_context
def run_command(
    ctx: click.Context, task: str, seeds: int, workers: int, device: str, out: Path
) -> None:
    """Run the paper's protocol of TASK and compare the results with the paper's.

    mnist and mnist_seed_gating take about half an hour each.

    The other tasks are sweeps, declared in benchmarks/sweeps with their seeds. They use --workers
    processes and write their records to a folder of the same name in --out; if a sweep was
    stopped, the same command continues it. --device is for sweeps.
    """
    if task in declared.NAMES:
        _run_declared(ctx, task, workers, device, out)
        return
    try:
        data = load_dataset("mnist")
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    figures = _TASKS[task].run(data, seeds, click.echo)
    click.echo(f"Wrote {store(task, figures, out)}")


def _run_declared(ctx: click.Context, task: str, workers: int, device: str, out: Path) -> None:
    if ctx.get_parameter_source("seeds") == ParameterSource.COMMANDLINE:
        raise click.UsageError(
            f"--seeds is for {' and '.join(_TASKS)}; {task} declares its own seeds"
        )
    try:
        click.echo(declared.run(task, out, workers, sys.stderr.isatty(), device))
    except (DatasetUnavailable, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {out / task}")


@main.command("graphs")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--paper",
    is_flag=True,
    help="Time one epoch of the paper's GIN on all training molecules instead (many minutes).",
)
@click.option(
    "--molecules", type=click.IntRange(min=64), help="For --paper: the first molecules only."
)
@out_option
def graphs_command(rounds: int, paper: bool, molecules: int | None, out: Path) -> None:
    """Time epochs of a GCN on Cora and a GIN on MolHIV against PyTorch, with two threads."""
    if molecules is not None and not paper:
        raise click.UsageError("--molecules is for --paper")
    figures: dict[str, Any] = {"rounds": rounds, "threads": graph_speed.THREADS, "races": {}}
    runs = {
        "gcn": partial(graph_speed.gcn, rounds),
        "gin": partial(graph_speed.gin, rounds),
    }
    if paper:
        figures["rounds"] = 1
        runs = {"paper_gin": partial(graph_speed.paper_gin, molecules)}
    for name, run in runs.items():
        try:
            race = run()
        except DatasetUnavailable as error:
            raise click.ClickException(str(error)) from error
        figures["races"][name] = race
        click.echo(f"\n{name}")
        for contender, seconds in race["median_seconds"].items():
            click.echo(f"  {contender:28} {1e3 * seconds:10.2f} ms per epoch")
        for pair in race["ratios"]:
            target = "" if pair["target"] is None else f"  (target {pair['target']:g})"
            click.echo(f"  {pair['faster']} is {pair['times']:.2f} times {pair['than']}{target}")
    stored = store("graphs_paper" if paper else "graphs", figures, out, ("torch",))
    click.echo(f"Wrote {stored}")


def _raced(races: Mapping[str, Callable[[int], Any]], rounds: int, threads: int) -> dict[str, Any]:
    """Run races and print them; return their figures."""
    figures: dict[str, Any] = {"rounds": rounds, "threads": threads, "races": {}}
    for name, run in races.items():
        race = figures["races"][name] = run(rounds)
        click.echo(f"\n{name}")
        for contender, seconds in race["median_seconds"].items():
            click.echo(f"  {contender:28} {1e3 * seconds:10.2f} ms")
        for pair in race["ratios"]:
            target = "" if pair["target"] is None else f"  (target {pair['target']:g})"
            click.echo(f"  {pair['faster']} is {pair['times']:.2f} times {pair['than']}{target}")
    return figures


@main.command("step")
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True)
@out_option
def step_command(rounds: int, out: Path) -> None:
    """Time the parts of a step of the MNIST network, and the products of a wide layer."""
    figures = _raced(step_parts.RACES, rounds, THREADS)
    click.echo(f"Wrote {store('step', figures, out, ('torch', 'numba'))}")


@main.command("texts")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@out_option
def texts_command(rounds: int, out: Path) -> None:
    """Time training steps of networks on texts against PyTorch, with two threads."""
    figures = _raced(text_speed.RACES, rounds, THREADS)
    click.echo(f"Wrote {store('texts', figures, out, ('torch',))}")


@main.command("images")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@out_option
def images_command(rounds: int, out: Path) -> None:
    """Time networks on images against PyTorch, with two threads, and measure their memory."""
    figures = _raced(image_speed.RACES, rounds, THREADS)
    figures["memory"] = image_speed.memory()
    click.echo("\nPeak memory of a step of Plain-20 at batch 128, in units of its activations")
    for adapter, units in figures["memory"].items():
        click.echo(f"  {adapter:28} {units:10.2f}  (target 2)")
    click.echo(f"Wrote {store('images', figures, out, ('torch', 'numba'))}")


@main.command("molhiv")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option(
    "--arm",
    "arms",
    type=click.Choice(list(molecules.ARMS)),
    multiple=True,
    help="An arm to run; all by default.",
)
@out_option
def molhiv_command(seeds: int, epochs: int, arms: tuple[str, ...], out: Path) -> None:
    """Score networks on MolHIV after every epoch, on the validation and on the test set."""
    try:
        figures = molecules.run(seeds, arms or tuple(molecules.ARMS), epochs, click.echo)
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {store('molhiv_epochs', figures, out)}")


@main.command("speed")
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="cuda compares a GPU with the host on the same work.",
)
@out_option
def speed_command(rounds: int, device: Device, out: Path) -> None:
    """Time generation, one adapted layer, an MNIST epoch and predictions against others."""
    problem = cuda_problem() if device == "cuda" else None
    if problem is not None:
        click.echo(f"Skipped: no GPU is available: {problem}.")
        return
    if device == "cpu" and not torch_peers.available():
        click.echo("PyTorch is not installed: the comparisons with it are skipped.")
    if device == "cpu" and not jax_peers.available():
        click.echo(
            "JAX or optax is not installed (the extra benchmark): the comparisons with JAX are "
            "skipped."
        )
    figures: dict[str, Any] = {"rounds": rounds, "races": {}}
    if device == "cuda":
        figures["device"] = device_name()
    name = "speed" if device == "cpu" else "speed_cuda"
    packages = (*CUPY, *jax_peers.PACKAGES)
    races = speed.races(rounds) if device == "cpu" else device_speed.races(device, rounds)
    for title, race in races:
        figures["races"][title] = race
        path = store(name, figures, out, packages)  # each time: all races take a while
        click.echo(f"\n{title}")
        for contender, seconds in race["median_seconds"].items():
            click.echo(f"  {contender:24} {1e3 * seconds:10.2f} ms")
        for pair in race["ratios"]:
            target = "" if pair["target"] is None else f"  (target {pair['target']:g})"
            times = pair["times"]
            click.echo(f"  {pair['faster']} is {times:.2f} times {pair['than']}{target}")
        if "share_of_machine_rate" in race:
            share = race["share_of_machine_rate"]
            click.echo(f"  dense reaches {share['reached']:.2f} of the matrix rate (target 0.5)")
    click.echo(f"\nWrote {path}")


@main.command("memory")
@out_option
def memory_command(out: Path) -> None:
    """Measure the peak memory of fits, and of packed and streamed scaffolds."""
    figures = memory.measurements()
    for name, values in figures.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value}" for key, value in values.items()))
    click.echo(f"Wrote {store('memory', figures, out)}")


@main.command("flower-pictures")
@click.option(
    "--out",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default="docs",
    show_default=True,
    help="Folder for the pictures.",
)
def flower_pictures_command(out: Path) -> None:
    """Draw where a trained ViT attends in a flower, and its filters (two minutes)."""
    try:
        attention, filters, accuracy = flower_pictures.draw(out)
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"test accuracy {accuracy:.3f}")
    click.echo(f"Wrote {attention} and {filters}")


@main.command("series")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@out_option
def series_command(rounds: int, out: Path) -> None:
    """Time an epoch of a closed-form network against PyTorch, and measure the memory of a step."""
    if not torch_peers.available():
        click.echo("PyTorch is not installed: the comparison with it is skipped.")
    figures = {"rounds": rounds, "epoch": series.speed(rounds), "memory": series.memory()}
    for name, seconds in figures["epoch"]["median_seconds"].items():
        click.echo(f"{name}: {seconds:.2f} s")
    for pair in figures["epoch"]["ratios"]:
        click.echo(f"{pair['faster']} is {pair['times']:.2f} times {pair['than']}")
    for name, values in figures["memory"].items():
        click.echo(f"{name}: {values['peak_bytes_over_start'] or 0:,} bytes")
    click.echo(f"Wrote {store('series', figures, out, ('torch',))}")


@main.command("echo")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@out_option
def echo_command(rounds: int, out: Path) -> None:
    """Time echo-state networks against reservoirpy, with the same weights."""
    if not echo.available():
        click.echo("reservoirpy is not installed: the comparisons with it are skipped.")
    figures: dict[str, Any] = {"rounds": rounds, "races": {}}
    for name, race in echo.races(rounds):
        figures["races"][name] = race
        click.echo(f"{name}: {race}")
    click.echo(f"Wrote {store('echo', figures, out, ('reservoirpy', 'numba'))}")


@main.command("forecasting")
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True)
@out_option
def forecasting_command(seeds: int, out: Path) -> None:
    """Measure closed-loop forecasts, NARMA-10, memory capacity and memory use (a few minutes)."""
    figures = {"seeds": seeds, "tasks": forecasting.measurements(seeds, click.echo)}
    click.echo(f"Wrote {store('forecasting', figures, out, ('numba',))}")


@main.command("files")
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True)
@out_option
def files_command(rounds: int, out: Path) -> None:
    """Save and load MNIST medium at rank 8; serve 64 adapters on one scaffold (two minutes)."""
    try:
        data = load_dataset("mnist")
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    figures = {"rounds": rounds, **files.measurements(data, rounds, click.echo)}
    click.echo(f"Wrote {store('files', figures, out)}")


@main.command("quantised")
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True)
@out_option
def quantised_command(epochs: int, out: Path) -> None:
    """Save MNIST medium and decoders in fewer bits, and score them (ten minutes)."""
    try:
        images, texts = load_dataset("mnist"), load_dataset("imdb_text")
        figures = quantised.measurements(images, texts, epochs, click.echo)
    except (DatasetUnavailable, ImportError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {store('quantised', figures, out, ('tokenizers',))}")


@main.command("defaults")
@out_option
def defaults_command(out: Path) -> None:
    """Compare the default estimators with scikit-learn's on small tables (a few minutes).

    If it is stopped, the same command continues it.
    """
    try:
        figures = defaults.run(out, click.echo)
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    for role, found in figures["summaries"].items():
        click.echo(f"{role}: {found}")
    click.echo(f"Wrote {store('defaults', figures, out)}")
    defaults.partial_path(out).unlink(missing_ok=True)


@main.command("sklearn-mlp")
@out_option
def sklearn_mlp_command(out: Path) -> None:
    """Run scikit-learn's tests of its multilayer perceptron on our estimators (a minute)."""
    figures = sklearn_mlp.measurements()
    for name, cause in figures["failed"].items():
        click.echo(f"{name}: {cause}")
    click.echo(f"{figures['passed']} of {figures['tests']} tests pass.")
    click.echo(f"Wrote {store('sklearn_mlp', figures, out, ('pytest',))}")


@main.command("tables")
@out_option
def tables_command(out: Path) -> None:
    """Print the stored results as Markdown tables."""
    click.echo(tables.all_tables(out))


if __name__ == "__main__":
    main()
