"""The paper's formulas for the costs of training, memory and distribution.

They are from Hazan, Zhang, Hartl and Levin, arXiv 2604.08749 (2026), section 6. N is the number of
all parameters, of which N_trained are trained and N_frozen are frozen. M is the number of samples:
rows times epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Size of a seed in bytes.
SEED_BYTES = 8


def paper_training_flops(samples: int, n_trained: int, n_frozen: int = 0) -> int:
    """Return ``M (4 N_frozen + 6 N_trained)``, which is ``6 M N`` for full training.

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
    """Return ``2 N + 14 N_trained``, which is ``16 N`` for full training.

    Parameters
    ----------
    n_trained, n_frozen : int

    Returns
    -------
    int
        Bytes of the weights and the optimiser in mixed precision.

    Examples
    --------
    >>> paper_memory(n_trained=10, n_frozen=1000)
    2160
    """
    return 2 * n_frozen + 16 * n_trained


def paper_distributable(n_trained: int, seeded: bool = True) -> int:
    """Return the bytes to distribute: 8 for the seed, and 2 per trained parameter.

    Parameters
    ----------
    n_trained : int
        Number of trained parameters, including the head.
    seeded : bool, default=True
        Whether any weights are generated from a seed.

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
    """Costs of a model and of the same network fully trained, by the paper's formulas.

    Attributes
    ----------
    training_flops, full_training_flops : int
        Floating-point operations of the whole training.
    memory, full_memory : int
        Bytes of the weights and the optimiser in mixed precision.
    distributable : int
        Bytes to distribute, at 16 bits per parameter.
    dense_fp16, dense_4bit : int
        Bytes of the fully trained network at 16 and at 4 bits per parameter, without the scales
        of a quantiser.
    """

    training_flops: int
    full_training_flops: int
    memory: int
    full_memory: int
    distributable: int
    dense_fp16: int
    dense_4bit: int


def paper_cost(samples: int, n_trained: int, n_frozen: int, n_dense: int) -> PaperCost:
    """Return the costs of a model with the given numbers of parameters, by the paper's formulas.

    Parameters
    ----------
    samples : int
        M, rows times epochs.
    n_trained, n_frozen : int
    n_dense : int
        Number of parameters of the fully trained network.

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
