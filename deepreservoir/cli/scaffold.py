"""``deepreservoir scaffold``: the frozen weights of one layer."""

from __future__ import annotations

import click

from ..scaffold import FAMILIES, STORAGES, ScaffoldSpec, make_scaffold
from .base import Shape, main

# Limits for drawing weights only to print their statistics.
_MAX_WEIGHTS = 1 << 30
_MAX_ALGEBRA = 1 << 24  # for families that decompose the whole matrix


@main.command("scaffold")
@click.option(
    "--family",
    type=click.Choice(list(FAMILIES)),
    default="normal",
    show_default=True,
    help="Family of the weights.",
)
@click.option("--shape", type=Shape(), required=True, help="Shape, d_out x d_in.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the scaffold.",
)
@click.option("--path", "layer", default="layers.0", show_default=True, help="Path of the layer.")
@click.option("--scale", default="1.0", show_default=True, help="A gain, or 'family'.")
@click.option(
    "--storage",
    type=click.Choice(STORAGES),
    default="auto",
    show_default=True,
    help="How the weights are held in memory.",
)
def scaffold_command(
    family: str, shape: tuple[int, int], seed: int, layer: str, scale: str, storage: str
) -> None:
    """Draw the frozen weights of one layer and print their statistics and digest.

    \b
        deepreservoir scaffold --family binary --shape 512x784 --seed 42

    The digest is the SHA-256 of the weights' bytes: equal digests mean equal weights, on any
    machine.
    """
    algebra = FAMILIES[family].construction.needs_linear_algebra
    limit = _MAX_ALGEBRA if algebra else _MAX_WEIGHTS
    if shape[0] * shape[1] > limit:
        raise click.ClickException(
            f"--shape {shape[0]}x{shape[1]} exceeds the limit of {limit:,} weights for {family}"
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
