"""Counter-based random bits: (seed, path, draw, position) -> sixteen-bit lanes.

Everything random in deepreservoir comes from here. The generator is Philox 4x64-10
(Salmon et al., 2011) in NumPy's form, whose raw stream NumPy guarantees. Its key is the
first 128 bits of a SHA-256 over the format version, the seed, the path of the layer and
the name of the draw; its counter is the position. A block is four 64-bit words, that is
sixteen 16-bit lanes in little-endian order. A row of a matrix starts at a block, so any tile
can be generated on its own, in any order, on any machine.

This layout is a file format: every saved model depends on it. A change to it requires a new
`FORMAT_VERSION`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..kernels.draw import LANES_PER_BLOCK, lane_rows

FORMAT_VERSION = 1
WORDS_PER_BLOCK = 4


def check_seed(seed: object, name: str) -> int:
    """Return `seed` as an int, or raise a ValueError in which it is called `name`."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"{name} must be a non-negative integer; got {seed!r}")
    return int(seed)


@dataclass(frozen=True)
class Stream:
    """Random bits that depend only on a seed, a path and the name of a draw.

    Parameters
    ----------
    seed : int
        Any non-negative integer, of any size.
    path : str
        Path of the layer, such as ``"layers.0"``.
    draw : str
        Name of the draw, such as ``"scaffold/normal"`` or ``"dropout"``.

    Examples
    --------
    >>> stream = Stream(seed=0, path="layers.0", draw="scaffold/normal")
    >>> whole = stream.rows(0, 4, 20)
    >>> bool((stream.rows(2, 3, 20) == whole[2:3]).all())
    True
    """

    seed: int
    path: str
    draw: str

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed")
        if "\n" in self.path or "\n" in self.draw:
            raise ValueError(
                f"path and draw must not contain line breaks; got {self.path!r}, {self.draw!r}"
            )

    @cached_property
    def key(self) -> int:
        """The 128-bit Philox key."""
        text = f"deepreservoir\n{FORMAT_VERSION}\n{self.seed}\n{self.path}\n{self.draw}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")

    def words(self, n: int, start_block: int = 0, substream: int = 0) -> np.ndarray:
        """Return `n` 64-bit words, starting at block `start_block` of `substream`.

        Substreams (a training step, an epoch) do not overlap: each has 2**64 blocks.
        """
        counter = int(start_block) + (int(substream) << 64)  # NumPy integers would overflow
        return np.random.Philox(key=self.key, counter=counter).random_raw(n)

    def lanes(self, n_blocks: int, start_block: int = 0, substream: int = 0) -> np.ndarray:
        """Return ``16 * n_blocks`` 16-bit lanes, starting at block `start_block`."""
        words = self.words(n_blocks * WORDS_PER_BLOCK, start_block, substream)
        return words.astype("<u8", copy=False).view("<u2")

    def rows(self, start: int, stop: int, width: int, substream: int = 0) -> np.ndarray:
        """Return rows [start, stop) of the lanes of a matrix with `width` columns.

        Returns
        -------
        ndarray of uint16, shape (stop - start, width)
            A view, which is contiguous if `width` is a multiple of 16.
        """
        return lane_rows(self.key, start, stop, width, substream)

    def tile(self, rows: range, cols: range, width: int) -> np.ndarray:
        """Return the lanes of one tile of a matrix with `width` columns.

        Returns
        -------
        ndarray of uint16, shape (len(rows), len(cols))
        """
        if len(cols) == width:
            return self.rows(rows.start, rows.stop, width)
        blocks = -(-width // LANES_PER_BLOCK)
        first = cols.start // LANES_PER_BLOCK
        last = -(-cols.stop // LANES_PER_BLOCK)
        skip = cols.start - first * LANES_PER_BLOCK
        out = np.empty((len(rows), len(cols)), np.uint16)
        for i, row in enumerate(rows):
            lanes = self.lanes(last - first, row * blocks + first)
            out[i] = lanes[skip : skip + len(cols)]
        return out

    def permutation(self, n: int, substream: int = 0) -> np.ndarray:
        """Return a permutation of ``range(n)``: the order that sorts `n` raw words."""
        return np.argsort(self.words(n, substream=substream), kind="stable")
