"""Pictures of beta, the weight of the scaffold: after training, and epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from ..sweeps.plain_data import frozen
from .curves import MOST_LINES, STYLES
from .data import Gathered
from .drawing import COLOURS, Key, Picture, drawing, name_at_the_edge
from .summary import shown

_BINS = 24


def final_betas(gathered: Gathered) -> dict[str, list[float]]:
    """Return the betas of all trained adapters, by schedule if the sweep compares schedules, and
    by layer otherwise; all in one group if there would be too many."""
    groups: dict[str, list[float]] = {}
    for record in gathered.trained_adapters():
        for layer, beta in record["betas"].items():
            name = shown(_schedule(record)) if _resamples(gathered) else layer
            groups.setdefault(name, []).append(beta)
    if len(groups) > MOST_LINES:
        return {"all layers": [beta for group in groups.values() for beta in group]}
    return groups


def beta_histograms(gathered: Gathered) -> Picture | None:
    """Draw histograms of beta after training; None if no adapter was trained."""
    groups = final_betas(gathered)
    if not groups:
        return None
    everything = [beta for group in groups.values() for beta in group]
    low, high = min(0.0, *everything), max(1.0, *everything)
    edges = [low + (high - low) * i / _BINS for i in range(_BINS + 1)]
    by = "schedule of the scaffold" if _resamples(gathered) else "layer"
    with drawing(0.8 + 0.62 * len(groups)) as figure:
        several = figure.subplots(len(groups), sharex=True, squeeze=False)[:, 0]
        for axes, (name, betas) in zip(several, groups.items(), strict=True):
            axes.hist(betas, edges, color=COLOURS["blue"], rwidth=0.9)
            axes.axvline(0, color=COLOURS["quiet"], linewidth=1.0)
            axes.axvline(1, color=COLOURS["quiet"], linewidth=1.0, linestyle=":")
            axes.set_title(name, loc="left", fontsize=11, pad=3)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        several[-1].set_xlabel("beta after training")
        description = "; ".join(
            f"{name}: {len(betas)} betas from {min(betas):.3g} to {max(betas):.3g}, "
            f"mean {fmean(betas):.3g}"
            for name, betas in groups.items()
        )
        reading = (
            f"Distribution of beta after training, by {by}; each row has its own vertical scale. "
            "The weight of the scaffold, beta, starts at 1 (dotted line); at 0 (solid line), the "
            "scaffold is not used."
        )
        return Picture.of(figure, "betas", "Beta after training", reading, f"{description}.")


def beta_by_epoch(gathered: Gathered) -> Picture | None:
    """Draw the median |beta| over the layers, epoch by epoch, for each schedule.

    Returns None if the sweep does not compare schedules.
    """
    runs = _by_schedule(gathered)
    if len(runs) < 2:
        return None
    names, descriptions = [], []
    with drawing(3.6) as figure:
        axes = figure.subplots()
        axes.set_title("median |beta|", loc="left", fontsize=11, color=COLOURS["quiet"])
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda beta, _: f"{beta:g}")
        for style, (schedule, records) in zip(STYLES, runs.items(), strict=False):
            curves = [record["beta_medians"] for record in records]
            epochs = range(1, min(map(len, curves)) + 1)
            columns = list(zip(*curves, strict=False))
            means = [fmean(column) for column in columns]
            look = style.keywords() | {"markevery": max(1, len(epochs) // 6), "markersize": 4.5}
            axes.plot(epochs, means, **look)
            lows, highs = list(map(min, columns)), list(map(max, columns))
            axes.fill_between(epochs, lows, highs, color=look["color"], alpha=0.15, linewidth=0)
            mean = fmean(record["score"] for record in records)
            words = f"{shown(schedule)}: {gathered.score(100 * mean if gathered.classes else mean)}"
            names.append(Key(words, style, means[-1]))
            descriptions.append(f"{words}, beta from {means[0]:.3g} to {means[-1]:.3g}")
        axes.minorticks_off()
        axes.set_xlabel("epoch")
        name_at_the_edge(axes, names)
        rank = _highest_rank(gathered)
        reading = (
            "One line per schedule. With none, the scaffold is kept; the other schedules redraw "
            f"it during training. The mean score{'' if rank is None else f' at rank {rank}'} is "
            "next to the name. Bands range from the lowest to the highest run. If a line falls, "
            "the networks learn to rely less on their scaffold."
        )
        title = "Effect of resampling on beta"
        description = f"{'; '.join(descriptions)}."
        return Picture.of(figure, "beta-by-epoch", title, reading, description)


def _by_schedule(gathered: Gathered) -> dict[Any, list[dict[str, Any]]]:
    """Return the adapters of the highest rank by schedule, without those of unknown betas."""
    rank = _highest_rank(gathered)
    groups: dict[Any, list[dict[str, Any]]] = {}
    for record in gathered.trained_adapters() if _resamples(gathered) else ():
        if record["at"].get("rank") == rank and _known(record["beta_medians"]):
            groups.setdefault(_schedule(record), []).append(record)
    return groups


def _known(medians: Sequence[float | None]) -> bool:
    return bool(medians) and all(medians)  # a logarithm takes neither None nor 0


def _highest_rank(gathered: Gathered) -> Any:
    ranks = dict(gathered.folder.sweep.grid).get("rank", ())
    return max((rank for rank in ranks if isinstance(rank, int)), default=None)


def _resamples(gathered: Gathered) -> bool:
    return "resample" in gathered.others


def _schedule(record: dict[str, Any]) -> Any:
    return frozen(record["at"]["resample"])
