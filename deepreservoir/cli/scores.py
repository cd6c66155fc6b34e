"""The lines with which ``fit`` prints a score."""

from __future__ import annotations

from ..experiments.tables.references import Reference, sentence


def scored(task: str, score: float) -> str:
    """Return a score with the name of its metric, which depends on the task."""
    return f"{'accuracy' if task == 'classification' else 'R^2'} {score:.4f}"


def compared(
    score: str, samples: str, n: int, others: tuple[Reference, Reference] | None
) -> tuple[str, ...]:
    """Return a score and those of two simple predictors, and what follows from them.

    Parameters
    ----------
    score : str
        As from :func:`scored`.
    samples : str
        What was scored: "rows".
    n : int
        Number of held-out samples.
    others : (Reference, Reference) or None
        Those of the predictors; None if there is no comparison.
    """
    if others is None:
        return (f"{score} on {n:,} held-out {samples}",)
    listed = "; ".join(f"{each.name}: {each.score:.4f}" for each in others)
    return f"{score} on {n:,} held-out {samples} ({listed})", sentence(*others, n)
