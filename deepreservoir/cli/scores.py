"""The lines with which ``fit`` prints a score."""

from __future__ import annotations

from ..experiments.tables.references import Reference, sentence


def scored(task: str, score: float) -> str:
    """Return a score with the name of its metric, which depends on the task."""
    return f"{'accuracy' if task == 'classification' else 'R^2'} {score:.4f}"


def compared(
    score: str, samples: str, n: int, others: tuple[Reference, Reference]
) -> tuple[str, str]:
    """Return a score and those of two simple predictors, and what follows from them.

    Parameters
    ----------
    score : str
        As from :func:`scored`.
    samples : str
        What was scored: "rows".
    n : int
        Number of held-out samples.
    others : (Reference, Reference)
        Those of the predictors.
    """
    listed = "; ".join(f"{each.name}: {each.score:.4f}" for each in others)
    return f"{score} on {n:,} held-out {samples} ({listed})", sentence(*others, n)
