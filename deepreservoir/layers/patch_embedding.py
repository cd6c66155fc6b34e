"""Patches of images as tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backend import Array, array_module
from ..params import Slot
from .base import INFERENCE, Cache, Layer, Pass
from .init import assign, init_stream, normal
from .multiply_adds import MultiplyAdds
from .plain_dense import Dense


class PatchEmbedding(Layer):
    """A trained embedding of the patches of an image: (n, h, w, c) -> (n, tokens, width).

    Patches do not overlap, and come row by row. A trained embedding of its position is added to
    each token (Dosovitskiy et al., 2021, equation 1). It is the first layer of a network: the
    gradient of the images is not computed.

    Parameters
    ----------
    path : str
    image_shape : (int, int, int)
        Height, width and channels.
    patch_size : int
        Side of a patch, which divides height and width.
    width : int
    class_token : bool, default=True
        Whether a trained token comes before the patches.

    Raises
    ------
    ValueError
        If the patch size does not divide the height and the width.

    Examples
    --------
    >>> from deepreservoir.layers import PatchEmbedding
    >>> layer = PatchEmbedding("patches", (32, 32, 3), patch_size=8, width=64)
    >>> layer.tokens, layer.out_shape((10, 32, 32, 3))
    (17, (10, 17, 64))
    """

    token: Array  # (width,)
    dtoken: Array
    position: Array  # (tokens, width)
    dposition: Array

    def __init__(
        self,
        path: str,
        image_shape: Sequence[int],
        patch_size: int,
        width: int,
        class_token: bool = True,
    ) -> None:
        super().__init__(path)
        check_patches(image_shape, patch_size)
        self.image_shape = tuple(image_shape)
        self.patch_size, self.width, self.class_token = patch_size, width, class_token
        height, breadth, channels = self.image_shape
        self.rows, self.columns = height // patch_size, breadth // patch_size
        self.tokens = self.rows * self.columns + class_token
        inputs = patch_size * patch_size * channels
        self.dense = Dense(f"{path}.patches", inputs, width, needs_dx=False)

    @property
    def children(self) -> Sequence[Layer]:
        return (self.dense,)

    def own_slots(self) -> list[Slot]:
        token = Slot(f"{self.path}.token", (self.width,), "embedding")
        position = Slot(f"{self.path}.position", (self.tokens, self.width), "embedding")
        return [token, position] if self.class_token else [position]

    def initialise_own(self, seed: int) -> None:
        for slot in self.own_slots():
            stream = init_stream(seed, slot.path)
            assign(getattr(self, slot.name), normal(stream, slot.shape, 0.02))

    def patches_of(self, x: Array) -> Array:
        """Return the patches (n, patches, p p c) of images (n, h, w, c)."""
        p, channels = self.patch_size, self.image_shape[2]
        parts = x.reshape(len(x), self.rows, p, self.columns, p, channels).swapaxes(2, 3)
        return parts.reshape(len(x), self.rows * self.columns, p * p * channels)

    def forward(self, x: Array, on: Pass = INFERENCE) -> tuple[Array, Cache]:
        embedded, cache = self.dense.forward(self.patches_of(x), on)
        if not self.class_token:
            embedded += self.position
            return embedded, cache
        y = array_module(x).empty((len(x), self.tokens, self.width), embedded.dtype)
        y[:, 0] = self.token + self.position[0]
        y[:, 1:] = embedded
        y[:, 1:] += self.position[1:]
        return y, cache

    def backward(self, dy: Array, cache: Cache) -> None:
        dposition = dy.sum(axis=0)  # (tokens, width)
        self.dposition += dposition
        if self.class_token:
            self.dtoken += dposition[0]
            dy = dy[:, 1:]
        self.dense.backward(dy, cache)

    def out_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-3], self.tokens, self.width)

    def multiply_adds(self, shape: tuple[int, ...]) -> MultiplyAdds:
        patches = int(np.prod(shape[:-3], dtype=np.int64)) * self.rows * self.columns
        return self.dense.multiply_adds((patches, self.dense.d_in))


def check_patches(image_shape: Sequence[int], patch_size: int) -> None:
    """Raise a ValueError if an image cannot be cut into whole patches."""
    height, breadth, _ = image_shape
    if height % patch_size or breadth % patch_size:
        sides = [p for p in range(2, min(height, breadth) + 1) if height % p == breadth % p == 0]
        remedy = f"use one of {', '.join(map(str, sides))}" if sides else "use a patch_size of 1"
        raise ValueError(
            "patch_size must divide the height and the width of the images; got patch_size "
            f"{patch_size} and images of {height} x {breadth} pixels. Resize the images, or "
            f"{remedy}"
        )
