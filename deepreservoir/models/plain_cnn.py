"""Plain convolutional networks on scaffolds: the configuration and the layers that it builds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Self

from ..checks import check_flag, check_integer
from ..layers import Convolution, ConvolutionStack, Dense, Layer, Sequential
from ..layers.pooling import GlobalAveragePooling
from ..params import DECAYED
from .base import NetworkConfig, architecture
from .equal_size import largest_within


@architecture("plain_cnn")
@dataclass(frozen=True)
class PlainCNNConfig(NetworkConfig):
    """A plain convolutional network on scaffolds (paper, arXiv 2604.08749, appendix on CNNs).

    The network without shortcuts of He et al. (2016, section 4.2): a convolution of 3 x 3 and
    three stages of (depth - 2) / 3 such convolutions, with `width`, twice and four times as many
    channels; the second and the third stage begin with a stride of 2. Batch normalisation and ReLU
    follow each of them, then the mean over all pixels and the head.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width, channels).
    n_outputs : int
    depth : int, default=20
        6 n + 2: the number of convolutions, and the head.
    width : int, default=16
        Channels of the first stage.
    residual : bool, default=False
        Whether a convolution adds its input to its output where their shapes are equal: a skip
        around the frozen weights, before batch normalisation.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    Examples
    --------
    >>> config = PlainCNNConfig((32, 32, 3), 10, rank=8)
    >>> config.n_params, config.fully_trained().n_params
    (52693, 269722)
    """

    decayed: ClassVar[frozenset[str]] = DECAYED - {"adapter"}
    works_in_shares: ClassVar[bool] = True
    # Ranks above a layer's width are part of the paper's table: 32 on 16 channels.
    large_ranks: ClassVar = "warn"

    image_shape: tuple[int, ...]
    n_outputs: int
    depth: int = 20
    width: int = 16
    residual: bool = False

    def __post_init__(self) -> None:
        shape = tuple(self.image_shape)
        if len(shape) != 3:
            raise ValueError(
                f"image_shape must be (height, width, channels); got {self.image_shape!r}"
            )
        for i, size in enumerate(shape):
            check_integer(f"image_shape[{i}]", size, 1)
        object.__setattr__(self, "image_shape", tuple(int(size) for size in shape))
        for name in ("n_outputs", "width"):
            check_integer(name, getattr(self, name), 1)
        check_integer("depth", self.depth, 8)
        if self.depth % 6 != 2:
            raise ValueError(
                f"depth must be 6 n + 2, such as 8, 14 or 20: three stages of 2 n convolutions, "
                f"one before them, and the head; got {self.depth}"
            )
        check_flag("residual", self.residual)
        super().__post_init__()
        self.check_ranks()

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.image_shape

    @property
    def sample_bytes(self) -> int:
        """Bytes of an image and of the largest outputs of two neighbouring convolutions."""
        h, w, _ = self.image_shape
        numbers = prod(self.image_shape) + 2 * h * w * self.width
        return numbers * (8 if self.dtype == "float64" else 4)

    def resized(self, n_params: int) -> Self | None:
        """Return the fully trained network of this depth that is as wide as `n_params` allow."""
        return largest_within(lambda width: replace(self.fully_trained(), width=width), n_params)

    def build(self) -> tuple[Layer, Layer]:
        convolutions: list[Convolution] = []
        c_in, of_stage = self.image_shape[-1], (self.depth - 2) // 3
        for i in range(1 + 3 * of_stage):
            stage, place = divmod(max(i - 1, 0), of_stage)
            c_out = self._stages[stage]
            stride = 2 if stage and not place else 1
            convolutions.append(
                Convolution(
                    f"layers.{i}",
                    c_in,
                    c_out,
                    3,
                    self.adapter_of(9 * c_in, c_out),
                    stride=stride,
                    padding=1,
                    needs_dx=i > 0,
                    skip=self.residual and i > 0 and stride == 1,
                )
            )
            c_in = c_out
        body = Sequential([ConvolutionStack(convolutions), GlobalAveragePooling()])
        return body, Dense("head", c_in, self.n_outputs)

    @property
    def _stages(self) -> tuple[int, int, int]:
        return self.width, 2 * self.width, 4 * self.width
