"""Plain convolutional networks as a classifier of images."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ..models import PlainCNNConfig
from .base.classifier import DeepClassifier
from .base.descriptions import ARCHITECTURE_PARAMETERS, ATTRIBUTES, fill, without
from .base.image_input import IMAGE_PARAMETERS, ImageInput
from .base.parameters import AdaptationParameters
from .base.registry import register_estimator

_CNN = """\
depth : int, default=20
        6 n + 2: a convolution, three stages of 2 n convolutions, and the output layer.
    width : int, default=16
        Number of channels of the first stage; the second has twice, the third four times as many.
    residual : bool, default=False
        Whether a convolution adds its input to its output where their shapes are equal, which is a
        skip around the frozen weights, before batch normalisation.
    """

_PARAMETERS = (_CNN + IMAGE_PARAMETERS + ARCHITECTURE_PARAMETERS).replace(
    "A rank above min(d_in, d_out) of\n        a layer is an error.",
    "A rank above min(d_in, d_out) of\n        a layer is allowed, with a warning.",
)
_ATTRIBUTES = without(ATTRIBUTES, "feature_names_in_").replace(
    "Number of features seen in fit.", "Number of values of an image: height x width x channels."
)


@dataclass(eq=False, repr=False)
class PlainCNN(AdaptationParameters):
    """The parameters of a plain convolutional network, and its configuration."""

    depth: int = 20
    width: int = 16
    _: KW_ONLY
    residual: bool = False

    def network_config(self, image_shape: tuple[int, int, int], n_outputs: int) -> PlainCNNConfig:
        """Return the configuration of the network that the parameters describe.

        Parameters
        ----------
        image_shape : (int, int, int)
            Height, width and channels.
        n_outputs : int
            Width of the output.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        return PlainCNNConfig(
            image_shape=image_shape,
            n_outputs=n_outputs,
            depth=self.depth,
            width=self.width,
            residual=self.residual,
            **self.adaptation(),
        )


def _documented(cls: type) -> type:
    return fill(cls, _PARAMETERS, _ATTRIBUTES)


@register_estimator
@_documented
@dataclass(eq=False, repr=False)
class PlainCNNClassifier(PlainCNN, ImageInput, DeepClassifier):
    """A classifier of images by a convolutional network whose kernels are frozen.

    The plain network of He et al. (2016, section 4.2), without shortcuts: convolutions of 3 x 3
    with batch normalisation and ReLU in three stages, the mean over all pixels and a linear output
    layer. The kernels are drawn from a seed; low-rank adapters, one scale per convolution, batch
    normalisation and the output layer are trained (LottaLoRA, arXiv 2604.08749).

    X is an array of images (n, height, width, channels) or (n, height, width), a table with one
    image per row (with `image_shape`), or a list of files.

    Parameters
    ----------
    {parameters:
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss; "balanced" weights every class inversely to the sum of
        its sample weights.
    }

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The class labels.
    {attributes}

    Raises
    ------
    ValueError
        From `fit`, before training starts, if a parameter or the data are out of range; the
        message names them, what was expected and what was given.
    TrainingDiverged
        From `fit`, if the loss is not finite.

    References
    ----------
    He, Zhang, Ren and Sun, Deep residual learning for image recognition, CVPR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import PlainCNNClassifier
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> model = PlainCNNClassifier(
    ...     8, 8, image_shape=(8, 8), rank=2, max_iter=10, batch_size=32, learning_rate_init=0.01,
    ...     random_state=0,
    ... )
    >>> model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.9
    True
    """
