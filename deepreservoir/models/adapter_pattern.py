"""Configurations in which a pattern decides which matrices carry adapters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self

from ..checks import check_flag
from ..choices import StorageName
from ..layers import AdaptedDense, Adapter
from ..layers.adapter import Mode
from .base import NetworkConfig


@dataclass(frozen=True, kw_only=True)
class AdapterPattern(NetworkConfig):
    """A configuration whose pattern leaves some matrices without an adapter.

    The controls without a scaffold ask what the scaffold contributes to the matrices that carry
    adapters. So they set these to zero, and the others keep their draw; in a network without any
    adapter, all frozen matrices are zero.

    Parameters
    ----------
    scaffold_removed : bool, default=False
        Whether the scaffolds of the matrices that carry adapters are zero.
    """

    scaffold_removed: bool = False

    def __post_init__(self) -> None:
        check_flag("scaffold_removed", self.scaffold_removed)
        super().__post_init__()

    def on_zero_scaffold(self) -> Self:
        return replace(self, scaffold_removed=True)

    def scaffold_of(self, path: str) -> tuple[str, float | Literal["family"], StorageName]:
        if self.scaffold_removed and path not in self._outside:
            return "zero", 1.0, "auto"
        return super().scaffold_of(path)

    def adapter_or_none(self, carries: bool, d_in: int, d_out: int) -> Adapter:
        """Return the adapter of a frozen matrix.

        Parameters
        ----------
        carries : bool
            Whether the pattern includes the matrix. If it does not, the matrix has a scale of 1,
            and stays frozen unless all are trained.
        d_in, d_out : int
        """
        if carries:
            return self.adapter_of(d_in, d_out)
        mode: Mode = "full" if self.adapter == "full" else "none"
        return replace(self.adapter_of(d_in, d_out, mode), beta=1.0)

    @cached_property
    def _outside(self) -> frozenset[str]:
        """The paths of the matrices that carry no adapter, if others do."""
        parts = replace(self, adapter="lora", rank="auto").build()
        dense = [la for part in parts for la in part.walk() if isinstance(la, AdaptedDense)]
        outside = frozenset(layer.path for layer in dense if not layer.adapter.low_rank)
        return outside if len(outside) < len(dense) else frozenset()
