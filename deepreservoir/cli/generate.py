"""``deepreservoir generate``: text from a saved language model."""

from __future__ import annotations

from pathlib import Path

import click

from ..artifact.persist import load
from ..estimators import CausalLanguageModel
from .base import checked_device, device_option, main


@main.command("generate")
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--prompt", required=True, help="The beginning of the text.")
@click.option(
    "--max-new-tokens",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Largest number of tokens to generate.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Divisor of the logits; 0 for the most probable token.",
)
@click.option(
    "--top-p",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=1.0,
    show_default=True,
    help="Draw from the most probable tokens, as many as have this probability.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    help="Seed of the draws.  [default: random]",
)
@device_option
def generate_command(
    model: Path,
    prompt: str,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int | None,
    device: str,
) -> None:
    """Continue a text with a saved language model, and print both.

    \b
        deepreservoir generate model.safetensors --prompt "The film"
        deepreservoir generate model.safetensors --prompt "The film" --temperature 0.8 --seed 1
    """
    try:
        loaded = load(model, checked_device(device))
    except ImportError as error:  # without the library that encodes texts
        raise click.ClickException(str(error)) from error
    if not isinstance(loaded, CausalLanguageModel):
        raise click.ClickException(
            f"{model} holds a {type(loaded).__name__}, which does not generate text; name the file "
            "of a CausalLanguageModel"
        )
    if not loaded.reads_texts_:
        raise click.ClickException(
            f"{model} was fitted on codes of tokens, and has no encoding of texts; use it in "
            "Python, where `generate` takes codes"
        )
    click.echo(prompt + str(loaded.generate(prompt, max_new_tokens, temperature, top_p, seed)))
