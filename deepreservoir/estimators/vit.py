"""Vision Transformers as a classifier of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

from sklearn.base import clone

from ..backend import Device
from ..models import NetworkConfig, ViTConfig
from ..network import Network
from ..scaffold import Scaffold
from .backbone import check_backbone, take_backbone
from .base.classifier import DeepClassifier
from .base.descriptions import ARCHITECTURE_PARAMETERS, ATTRIBUTES, fill, without
from .base.fitting import DeepEstimator
from .base.image_input import IMAGE_PARAMETERS, ImageInput
from .base.parameters import AdaptationParameters
from .base.registry import register_estimator

_VIT = """\
patch_size : int, default=4
        Side of the square patches that an image is cut into; it divides height and width.
    width : int, default=64
        Width of a token, divisible by `heads`.
    depth : int, default=4
        Number of blocks of attention and MLP.
    heads : int, default=4
        Number of heads of attention.
    mlp_ratio : int, default=4
        Width of the hidden layer of the MLP, in units of `width`.
    dropout : float, default=0.0
        Share that is dropped during training of the embeddings and of the outputs of attention and
        MLP.
    stochastic_depth : float, default=0.0
        Share of the samples that skip the last block's attention, and its MLP, during training. It
        grows linearly from block to block.
    layer_norm : bool, default=False
        Whether each adapted matrix is followed by a trained layer normalisation of its outputs: on
        the sum of the frozen and the low-rank path.
    recompute : bool, default=False
        Whether the backward pass computes the activations of a block again instead of keeping
        them: the same gradients, in less memory and more time.
    pooling : {"token", "mean"}, default="token"
        What the output layer reads: a class token, or the mean of the patches.
    backbone : ViTClassifier, str or path, default=None
        A fitted model, or the path of a saved one. What it has trained outside of its adapters
        (the embeddings of patches and positions, the class token and the layer normalisations, but
        not the output layer) are the initial values of this model's, whatever its scaffold.
        Positions are left out if the number of patches differs. Files of the fitted model leave
        this parameter out.
    gradient_accumulation : int, default=1
        Number of parts into which a batch is split. Their gradients are summed before the step, so
        that less memory is needed.
    """

_PARAMETERS = _VIT + IMAGE_PARAMETERS + ARCHITECTURE_PARAMETERS
_ATTRIBUTES = without(ATTRIBUTES, "feature_names_in_").replace(
    "Number of features seen in fit.", "Number of values of an image: height x width x channels."
)


@dataclass(eq=False, repr=False)
class VisionTransformer(AdaptationParameters):
    """The parameters of a Vision Transformer, and its configuration."""

    patch_size: int = 4
    width: int = 64
    depth: int = 4
    heads: int = 4
    _: KW_ONLY
    mlp_ratio: int = 4
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    layer_norm: bool = False
    recompute: bool = False
    pooling: str = "token"

    def network_config(self, image_shape: tuple[int, int, int], n_outputs: int) -> ViTConfig:
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
        return ViTConfig(
            image_shape=image_shape,
            n_outputs=n_outputs,
            patch_size=self.patch_size,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            dropout=self.dropout,
            stochastic_depth=self.stochastic_depth,
            layer_norm=self.layer_norm,
            recompute=self.recompute,
            pooling=self.pooling,
            **self.adaptation(),
        )


def _documented(cls: type) -> type:
    return fill(cls, _PARAMETERS, _ATTRIBUTES)


@register_estimator
@_documented
@dataclass(eq=False, repr=False)
class ViTClassifier(VisionTransformer, ImageInput, DeepClassifier):
    """A classifier of images by a Vision Transformer whose weight matrices are frozen.

    Patches of an image are tokens, which blocks of attention and MLP transform (Dosovitskiy et
    al., 2021). The matrices Q, K, V, O and both matrices of the MLP of each block are drawn from a
    seed; low-rank adapters, one scale per matrix, the embeddings, the layer normalisations and the
    output layer are trained (LottaLoRA, arXiv 2604.08749).

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
    Dosovitskiy, Beyer, Kolesnikov, Weissenborn, Zhai, Unterthiner, Dehghani, Minderer, Heigold,
    Gelly, Uszkoreit and Houlsby, An image is worth 16x16 words: transformers for image recognition
    at scale, ICLR 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import ViTClassifier
    >>> digits = load_digits()
    >>> X, y = digits.images, digits.target  # (1797, 8, 8)
    >>> model = ViTClassifier(2, 32, 2, batch_size=64, learning_rate_init=0.01, max_iter=15)
    >>> model.set_params(random_state=0).fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.8
    True
    >>> model.n_trained_params_, model.n_scaffold_params_
    (10614, 24576)
    """

    _: KW_ONLY
    backbone: Any = None
    gradient_accumulation: int = 1

    absent_parameters: ClassVar[Mapping[str, Any]] = {
        **DeepEstimator.absent_parameters,
        "backbone": None,
    }
    unsaved_parameters: ClassVar[frozenset[str]] = frozenset({"backbone"})

    def check_params(self) -> None:
        """Raise a ValueError that names the first parameter that is out of range."""
        super().check_params()
        check_backbone(self.backbone, ViTClassifier)

    def _new_network(
        self,
        config: NetworkConfig,
        seeds: tuple[int, int, int],
        device: Device,
        scaffolds: Mapping[str, Scaffold] | None,
    ) -> Network:
        network = super()._new_network(config, seeds, device, scaffolds)
        if self.backbone is not None:
            take_backbone(network, self.backbone)
        return network

    def __sklearn_clone__(self) -> Self:
        # A clone of the backbone would not be fitted.
        params = self.get_params(deep=False)
        copies = {
            name: value if name == "backbone" else clone(value, safe=False)
            for name, value in params.items()
        }
        return type(self)(**copies)
