"""Commands that train large models, and on other devices than the CPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from deepreservoir.datasets import DatasetUnavailable, load_dataset
from deepreservoir.kernels import PRECISIONS, Precision
from deepreservoir.models.decoder import EMBEDDINGS, PRESETS

from . import (
    decoders,
    giant,
    giant_picture,
    halfcheetah_return,
    parallel,
    precision,
    pretrain_vit,
    vit_memory,
)
from .command_line import CUPY, device_option, main, out_option
from .device_speed import device_name
from .store import RESULTS, store

#: The preset that PyTorch trains in full beside another, whose own full training needs 19 GB.
BESIDE = {"900M": "300M"}


@main.command("vit-memory")
@out_option
def vit_memory_command(out: Path) -> None:
    """Measure the peak memory of a training step of ViT-B/16 at 224 pixels (some minutes)."""
    figures = vit_memory.step()
    for name, value in figures.items():
        click.echo(f"{name}: {value:,}")
    click.echo(f"Wrote {store('vit_memory', figures, out)}")


@main.command("pretrain-vit")
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option(
    "--model",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=pretrain_vit.FILE,
    show_default="benchmarks/results/vit_cifar10.safetensors",
    help="File of the trained model.",
)
@device_option
@out_option
def pretrain_vit_command(epochs: int, path: Path, device: str, out: Path) -> None:
    """Train a small ViT on CIFAR-10, for the sweep flowers12_backbone (an hour, on a GPU a minute).

    If it is stopped, the same command continues it.
    """
    try:
        figures = pretrain_vit.run(path, epochs, click.echo, device=device)
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"test accuracy {figures['test_accuracy']:.3f}, {figures['file_bytes']:,} bytes")
    click.echo(f"Wrote {path} and {store('pretrain_vit', figures, out)}")


@main.command("halfcheetah-return")
@click.option("--episodes", type=click.IntRange(min=1), default=10, show_default=True)
@click.option(
    "--models",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Folder of the trained models; those that are missing are trained.",
)
@out_option
def halfcheetah_return_command(episodes: int, folder: Path, out: Path) -> None:
    """Let Decision Transformers act in MuJoCo's HalfCheetah-v5, which needs the extra control."""
    try:
        figures = halfcheetah_return.run(folder, episodes, click.echo)
    except (DatasetUnavailable, ImportError) as error:
        raise click.ClickException(str(error)) from error
    packages = ("gymnasium", "mujoco")
    click.echo(f"Wrote {store('halfcheetah_return', figures, out, packages)}")


@main.command("giant")
@click.option("--preset", type=click.Choice(list(PRESETS)), default="900M", show_default=True)
@click.option(
    "--scaffold",
    type=click.Choice(list(giant.SCAFFOLDS)),
    default="kronecker",
    show_default=True,
    help="Family of the frozen weights, or how normal ones are stored.",
)
@click.option(
    "--embeddings",
    type=click.Choice(EMBEDDINGS),
    default="trained",
    show_default=True,
)
@click.option("--steps", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True)
@click.option("--text", is_flag=True, help="Train on reviews of IMDB instead of random codes.")
@device_option
@out_option
def giant_command(
    preset: str,
    scaffold: str,
    embeddings: str,
    steps: int,
    batch: int,
    precision: Precision,
    text: bool,
    device: str,
    out: Path,
) -> None:
    """Time and weigh training steps of a decoder of up to 900M parameters."""
    try:
        codes = giant.encoded_reviews() if text else None
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    figures = giant.run(
        scaffold, steps, batch, click.echo, preset, embeddings, device, precision, codes
    )
    name = "_".join(["giant", preset.lower(), scaffold, embeddings, precision])
    if device != "cpu":
        figures["device"] = device_name()
        name += "_cuda"
    elif preset in BESIDE and find_spec("torch") is not None:
        beside = figures["pytorch_full_training"] = {"preset": BESIDE[preset]}
        seconds = beside["seconds_per_step"] = giant.full_training_in_pytorch(BESIDE[preset], batch)
        click.echo(
            f"PyTorch, full training of {BESIDE[preset]}: {seconds:.2f} s per step, "
            f"{seconds / figures['seconds_per_step']:.2f} times ours of {preset}"
        )
    click.echo(f"Wrote {store(name, figures, out, CUPY)}")


@main.command("giant-file")
@click.option("--preset", type=click.Choice(list(PRESETS)), default="900M", show_default=True)
@click.option(
    "--scaffold",
    type=click.Choice(list(giant.SCAFFOLDS)),
    default="kronecker",
    show_default=True,
    help="Family of the frozen weights, or how normal ones are stored.",
)
@click.option("--embeddings", type=click.Choice(EMBEDDINGS), default="trained", show_default=True)
@out_option
def giant_file_command(preset: str, scaffold: str, embeddings: str, out: Path) -> None:
    """Save a decoder of up to 900M parameters, and generate from its file in another process."""
    figures = giant.file(scaffold, embeddings, click.echo, preset)
    name = "_".join(["giant_file", preset.lower(), scaffold, embeddings])
    click.echo(f"Wrote {store(name, figures, out)}")


@main.command("giant-picture")
@click.option(
    "--out",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(__file__).parents[1] / "docs",
    show_default="docs",
    help="Folder for the picture.",
)
def giant_picture_command(out: Path) -> None:
    """Draw the memory of the giants in benchmarks/results, by part."""
    click.echo(f"Wrote {giant_picture.draw(RESULTS, out)}")


@main.command("parallel")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@out_option
def parallel_command(rounds: int, out: Path) -> None:
    """Train five architectures in parts, in one process and in two (some minutes)."""
    try:
        figures = parallel.run(rounds, click.echo)
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {store('parallel', figures, out)}")


@main.command("precision")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@device_option
@out_option
def precision_command(seeds: int, device: str, out: Path) -> None:
    """Train the MNIST network at rank 8 at every precision of products on a GPU."""
    try:
        figures = precision.run(load_dataset("mnist"), seeds, device, click.echo)
    except (DatasetUnavailable, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if device != "cpu":
        figures["device"] = device_name()
    click.echo(f"Wrote {store('precision', figures, out, CUPY)}")


@main.command("decoders")
@click.option(
    "--preset", type=click.Choice(list(decoders.LENGTHS)), default="3M", show_default=True
)
@click.option(
    "--steps", type=click.IntRange(min=1), help="1,500 steps at 3M, 300 at 30M by default."
)
@click.option("--seeds", type=click.IntRange(min=1), help="2 at 3M, 1 at 30M by default.")
@click.option(
    "--arm",
    "arms",
    type=click.Choice([*decoders.ARMS, *decoders.STORAGES]),
    multiple=True,
    help="Arm to train, repeatable; all by default.",
)
@out_option
def decoders_command(
    preset: str, steps: int | None, seeds: int | None, arms: tuple[str, ...], out: Path
) -> None:
    """Compare decoders by structure, storage and embeddings (about half an hour each).

    If it is stopped, the same command continues it.
    """
    length = decoders.LENGTHS[preset]
    chosen = arms or (*decoders.ARMS, *decoders.STORAGES)
    try:
        data = load_dataset("imdb_text")
    except DatasetUnavailable as error:
        raise click.ClickException(str(error)) from error
    path = decoders.run(
        data, preset, steps or length[0], seeds or length[1], chosen, out, click.echo
    )
    click.echo(f"Wrote {path}")
