"""How a frozen matrix is adapted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["lora", "dora", "full", "none"]


@dataclass(frozen=True)
class Adapter:
    """How a frozen matrix is adapted.

    Attributes
    ----------
    mode : {"lora", "dora", "full", "none"}
        A low-rank path; the same, weight-decomposed; W itself, trained from the scaffold's
        values; or nothing trained.
    rank : int
    scaling : float
        s, the factor of the low-rank path.
    beta : float
        Initial scale of the scaffold.
    learn_beta : bool
    b_init : {"zeros", "kaiming"}
        Initialisation of the injection B.
    dropout : float
        Fraction of the read-in's input that is dropped during training.

    Examples
    --------
    >>> from deepreservoir.layers import Adapter
    >>> adapter = Adapter("dora", rank=4, scaling=0.5)
    >>> adapter.low_rank, adapter.learn_beta
    (True, True)
    """

    mode: Mode = "lora"
    rank: int = 8
    scaling: float = 1.0
    beta: float = 1.0
    learn_beta: bool = True
    b_init: Literal["zeros", "kaiming"] = "zeros"
    dropout: float = 0.0

    @property
    def low_rank(self) -> bool:
        return self.mode in ("lora", "dora")
