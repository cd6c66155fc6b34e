"""What networks of images see: attention over an image, and the filters of the first layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import to_host
from ..inputs import ImageReader
from ..layers import PatchEmbedding, Recompute, TransformerBlock
from ..layers.init import init_stream, kaiming_uniform
from .axes import axes_of

#: Lines between the filters of a picture, in pixels.
_GAP = 1


class AttentionDisplay:
    """Plot of an image, and of where each block of a Vision Transformer attends in it.

    Use :meth:`from_estimator` to make one from a fitted model. The arguments are kept as
    attributes.

    Parameters
    ----------
    image : array, shape (height, width, channels)
        Values between 0 and 1.
    attention : array, shape (depth, rows, columns)
        Weight of each patch, the mean over heads: of the class token or, without one, the mean
        over all patches.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, shape (1 + depth,)
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import AttentionDisplay, ViTClassifier
    >>> digits = load_digits(n_class=2)
    >>> model = ViTClassifier(2, 8, depth=2, heads=2, max_iter=30, random_state=0)
    >>> model = model.fit(digits.images, digits.target)
    >>> display = AttentionDisplay.from_estimator(model, digits.images[0])
    >>> display.attention.shape
    (2, 4, 4)
    """

    def __init__(self, *, image: np.ndarray, attention: np.ndarray) -> None:
        self.image = image
        self.attention = attention

    @classmethod
    def from_estimator(cls, estimator: Any, image: Any, *, ax: Any = None) -> Self:
        """Plot where a fitted model attends in an image.

        Parameters
        ----------
        estimator : ViTClassifier
        image : array, shape (height, width) or (height, width, channels)
            As one of the images in `fit`.
        ax : sequence of matplotlib Axes, optional
            One for the image and one for each block; new ones by default.

        Returns
        -------
        AttentionDisplay

        Raises
        ------
        ValueError
            If the model is not a Vision Transformer, or the image does not fit it.
        """
        network = _network_of(estimator)
        layers = [each.layer if isinstance(each, Recompute) else each for each in _body(network)]
        embedding = next((each for each in layers if isinstance(each, PatchEmbedding)), None)
        if embedding is None:
            raise ValueError(
                f"a display of attention needs a Vision Transformer; got {type(estimator).__name__}"
            )
        pixels = np.asarray(image)
        inputs = estimator._reader.read(pixels[None], network.dtype, network.device)
        x, maps = inputs.take(np.arange(1)).x, []
        for layer in layers:
            if isinstance(layer, TransformerBlock):
                p = to_host(layer.probabilities(x))[0].mean(axis=0)  # (queries, tokens)
                weights = p[0, 1:] if embedding.class_token else p.mean(axis=0)
                maps.append(weights.reshape(embedding.rows, embedding.columns))
            x = layer.forward(x)[0]
        shown = _between_0_and_1(pixels.reshape(embedding.image_shape), estimator._reader)
        return cls(image=shown, attention=np.array(maps)).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the image and the maps.

        Parameters
        ----------
        ax : sequence of matplotlib Axes, optional
            One for the image and one for each block; new ones by default.

        Returns
        -------
        AttentionDisplay
        """
        depth = len(self.attention)
        self.figure_, self.axes_ = axes_of(ax, 1 + depth, "AttentionDisplay", in_row=True)
        height, width = self.image.shape[:2]
        self.axes_[0].imshow(_colours(self.image), cmap="gray", vmin=0, vmax=1)
        self.axes_[0].set_title("Image")
        for i, (axes, weights) in enumerate(zip(self.axes_[1:], self.attention, strict=True)):
            axes.imshow(_colours(self.image), cmap="gray", vmin=0, vmax=1)
            extent = (-0.5, width - 0.5, height - 0.5, -0.5)
            axes.imshow(weights, extent=extent, alpha=0.7, interpolation="bilinear")
            axes.set_title(f"Block {i + 1}")
        for axes in self.axes_:
            axes.set_axis_off()
        return self


class FilterDisplay:
    """Plot of the filters that read the pixels, as drawn and as learned.

    Use :meth:`from_estimator` to make one from a fitted model. The arguments are kept as
    attributes.

    Parameters
    ----------
    random, learned : array, shape (filters, height, width, channels)

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, shape (2,)
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import FilterDisplay, ViTClassifier
    >>> digits = load_digits(n_class=2)
    >>> model = ViTClassifier(2, 8, depth=1, heads=2, max_iter=30, random_state=0)
    >>> display = FilterDisplay.from_estimator(model.fit(digits.images, digits.target))
    >>> display.learned.shape
    (8, 2, 2, 1)
    """

    def __init__(self, *, random: np.ndarray, learned: np.ndarray) -> None:
        self.random = random
        self.learned = learned

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Plot the filters of a fitted model of images.

        Those of a Vision Transformer are the rows of its patch embedding, with the values that
        they are drawn with as random ones; a network on a `backbone` did not begin with these.
        Those of a convolutional network are the frozen kernels of its first
        layer, and the same with scale and adapter.

        Parameters
        ----------
        estimator : estimator
            A fitted model of images.
        ax : sequence of matplotlib Axes, optional
            For the random and for the learned filters; new ones by default.

        Returns
        -------
        FilterDisplay

        Raises
        ------
        ValueError
            If the model has no filters.
        """
        network = _network_of(estimator)
        for layer in network.body.walk():
            if isinstance(layer, PatchEmbedding):
                dense, size = layer.dense, layer.patch_size
                stream = init_stream(estimator._drawn[1], f"{dense.path}.weight")
                shape = (dense.d_out, dense.d_in)
                pair = kaiming_uniform(stream, shape, dense.d_in), to_host(dense.weight)
                break
            if hasattr(layer, "kernel_size"):
                dense, size = layer.dense, layer.kernel_size
                pair = dense.scaffold.dense(), dense.effective_weight()
                break
        else:
            raise ValueError(
                f"a display of filters needs a network of images; got {type(estimator).__name__}"
            )
        random, learned = (each.reshape(len(each), size, size, -1) for each in pair)
        return cls(random=random, learned=learned).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the filters, each in units of its largest weight.

        Parameters
        ----------
        ax : sequence of matplotlib Axes, optional
            For the random and for the learned filters; new ones by default.

        Returns
        -------
        FilterDisplay
        """
        self.figure_, self.axes_ = axes_of(ax, 2, "FilterDisplay", in_row=True)
        parts = {"Random": self.random, "Learned": self.learned}
        for axes, (title, filters) in zip(self.axes_, parts.items(), strict=True):
            axes.imshow(_colours(_mosaic(filters)), cmap="gray", vmin=0, vmax=1)
            axes.set_title(title)
            axes.set_axis_off()
        return self


def _network_of(estimator: Any) -> Any:
    check_is_fitted(estimator)
    if not isinstance(getattr(estimator, "_reader", None), ImageReader):
        raise ValueError(
            f"this needs a fitted classifier of images; got {type(estimator).__name__}"
        )
    return estimator.network_


def _body(network: Any) -> Sequence[Any]:
    return network.body.children


def _between_0_and_1(pixels: np.ndarray, reader: ImageReader) -> np.ndarray:
    """Return an image with values between 0 and 1."""
    if reader.values == "bytes":
        return pixels / 255
    low, high = float(pixels.min()), float(pixels.max())
    return (pixels - low) / (high - low or 1.0)


def _colours(image: np.ndarray) -> np.ndarray:
    """Return an image (height, width, channels) as colours or, if it has not three, as grey."""
    return image if image.shape[2] == 3 else image.mean(axis=2)


def _mosaic(filters: np.ndarray) -> np.ndarray:
    """Return filters as one image, values between 0 and 1 with weight 0 in the middle."""
    n, height, width, channels = filters.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    shape = rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels
    image = np.ones(shape)
    for i, each in enumerate(filters):
        row, column = (i // columns) * (height + _GAP), (i % columns) * (width + _GAP)
        largest = float(np.abs(each).max()) or 1.0
        image[row : row + height, column : column + width] = (each / largest + 1) / 2
    return image
