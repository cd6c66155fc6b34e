"""The paper's formulas of what training, memory and distribution cost.

Hazan, Zhang, Hartl and Levin, arXiv 2604.08749 (2026), section 6, with N all numbers, of which
N_trained are trained and N_frozen are not, and M samples: rows times epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Bytes that a seed takes.
SEED_BYTES = 8


def paper_training_flops(samples: int, n_trained: int, n_frozen: int = 0) -> int:
    """Return ``M (4 N_frozen + 6 N_trained)``: of full training, ``6 M N``.

    Parameters
    ----------
    samples : int
        M, rows times epochs.
    n_trained, n_frozen : int

    Returns
    -------
    int
        Floating-point operations.

    Examples
    --------
    >>> paper_training_flops(100, n_trained=10, n_frozen=1000)
    406000
    """
    return samples * (4 * n_frozen + 6 * n_trained)


def paper_memory(n_trained: int, n_frozen: int = 0) -> int:
    """Return ``2 N + 14 N_trained``: of full training, ``16 N``.

    Parameters
    ----------
    n_trained, n_frozen : int

    Returns
    -------
    int
        Bytes of weights and optimiser in mixed precision.

    Examples
    --------
    >>> paper_memory(n_trained=10, n_frozen=1000)
    2160
    """
    return 2 * n_frozen + 16 * n_trained


def paper_distributable(n_trained: int, seeded: bool = True) -> int:
    """Return the bytes to hand out: 8 of the seed, and 2 for each trained number.

    Parameters
    ----------
    n_trained : int
        Adapters, head and all else that is trained.
    seeded : bool, default=True
        Whether any weight follows from a seed.

    Returns
    -------
    int

    Examples
    --------
    >>> paper_distributable(1000)
    2008
    """
    return SEED_BYTES * seeded + 2 * n_trained


@dataclass(frozen=True)
class PaperCost:
    """A model and its fully trained twin by the paper's formulas.

    Attributes
    ----------
    training_flops, full_training_flops : int
        Floating-point operations of the whole training.
    memory, full_memory : int
        Bytes of weights and optimiser in mixed precision.
    distributable : int
        Bytes to hand out, at 16 bits a number.
    dense_fp16, dense_4bit : int
        Bytes of the twin at 16 and at 4 bits a number, without the scales of a quantiser.
    """

    training_flops: int
    full_training_flops: int
    memory: int
    full_memory: int
    distributable: int
    dense_fp16: int
    dense_4bit: int


def paper_cost(samples: int, n_trained: int, n_frozen: int, n_dense: int) -> PaperCost:
    """Return the cost of a model of which the numbers are known, by the paper's formulas.

    Parameters
    ----------
    samples : int
        M, rows times epochs.
    n_trained, n_frozen : int
    n_dense : int
        Numbers of the fully trained twin.

    Returns
    -------
    PaperCost

    Examples
    --------
    >>> cost = paper_cost(54_000 * 20, n_trained=21_774, n_frozen=573_440, n_dense=575_050)
    >>> f"{cost.training_flops / cost.full_training_flops:.3f}", cost.distributable
    ('0.703', 43556)
    """
    return PaperCost(
        training_flops=paper_training_flops(samples, n_trained, n_frozen),
        full_training_flops=paper_training_flops(samples, n_dense),
        memory=paper_memory(n_trained, n_frozen),
        full_memory=paper_memory(n_dense),
        distributable=paper_distributable(n_trained, seeded=n_frozen > 0),
        dense_fp16=2 * n_dense,
        dense_4bit=-(-n_dense // 2),
    )
