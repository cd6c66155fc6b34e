"""Estimators of images: their parameters, checks of X, augmentation and test-time flips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.validation import (
    _check_feature_names,
    _check_y,
    check_array,
    check_consistent_length,
)

from ...backend import to_host
from ...checks import check_flag
from ...inputs import Augmentation, ImageReader, Images, Inputs, Reader
from ...inputs.image_files import ImageFiles, checked_size
from ...inputs.images import ImageSource, are_paths, check_values, checked_shape, images_of
from .classifier import DeepClassifier
from .mixed_labels import MixedLabels
from .multilabel_targets import is_indicator_matrix
from .predicting import host_outputs
from .targets import Labels, Targets

#: Descriptions of the parameters of :class:`ImageInput`.
IMAGE_PARAMETERS = """\
image_shape : (int, int) or (int, int, int), default=None
        Height, width and number of channels of the images in the rows of X, if X is a table.
    image_size : (int, int), default=None
        Height and width to which images in files are resized; None requires files of one size.
    standardize : bool, default=True
        Whether each channel is centred and divided by its standard deviation, both over all pixels
        of the training images; images that are held out, or of weight zero, are not used.
        Otherwise bytes are divided by 255, and other numbers stay as they are.
    augmentation : None, str, sequence of str or dict, default=None
        Random changes of training images, by name, or as a dict of names and values: ``"crop"``
        (pixels of padding, 4), ``"flip"`` (probability of a mirror image, 0.5), ``"rand_augment"``
        (number of operations and magnitude, (2, 9)), ``"mixup"`` and ``"cutmix"`` (alpha and
        probability, (0.2, 0.8) and (1.0, 0.5)), ``"erasing"`` (probability, 0.25).
    test_time_flip : bool, default=False
        Whether predictions average the outputs for an image and for its mirror image. The scores
        of validation during training are without it.
    """


@dataclass(eq=False, repr=False)
class ImageInput(DeepClassifier):
    """Base of classifiers of images: a mixin in front of the parameters of training."""

    _: KW_ONLY
    image_shape: Sequence[int] | None = None
    image_size: Sequence[int] | None = None
    standardize: bool = True
    augmentation: Any = None
    test_time_flip: bool = False

    reader_parameters: ClassVar[tuple[str, ...]] = ("standardize",)

    def new_reader(self) -> Reader:
        """Return a reader that has not seen any images."""
        return ImageReader(self.standardize)

    def check_params(self) -> None:
        """Raise a ValueError that names the first parameter that is out of range."""
        super().check_params()
        check_flag("standardize", self.standardize)
        check_flag("test_time_flip", self.test_time_flip)
        checked_size(self.image_size)
        if self.image_shape is not None:
            checked_shape(self.image_shape)
        Augmentation.of(self.augmentation)

    def validated_pair(self, X: Any, y: Any, reset: bool, on_device: bool) -> tuple[Any, Any]:
        images = self._images(X, on_device, reset)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = _check_y(to_host(y) if on_device else y, multi_output=True, estimator=self)
        check_consistent_length(images, y)
        return images, y

    def validated_features(self, X: Any, on_device: bool) -> Any:
        return self._images(X, on_device, reset=False)

    def _images(self, X: Any, on_device: bool, reset: bool) -> ImageSource:
        """Return X, checked, and learn the number of features or compare it."""
        if on_device:
            raise TypeError(
                "images are read on the host, and moved to the device of the estimator; got device "
                "arrays. Convert them with deepreservoir.backend.to_host"
            )
        if reset and hasattr(self, "feature_names_in_"):
            del self.feature_names_in_  # images may be a table with names again
        if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
            X = list(X)  # of images whose sizes may differ, or of paths
        if not isinstance(X, ImageFiles) and not are_paths(X) and not _is_list_of_images(X):
            check_values(X)  # the message of scikit-learn would hold all values
            given = X
            X = check_array(X, dtype=None, allow_nd=True, ensure_all_finite=False, estimator=self)
            if X.ndim == 2:
                self._check_row_length(X, reset)
                _check_feature_names(self, given, reset=reset)
        images = images_of(X, self._shape_of_rows(X), self.image_size)
        if isinstance(images, ImageFiles) and not reset:
            channels = self._reader.sizes()["image_shape"][2]
            images = images if images.channels == channels else images.with_channels(channels)
        if not reset:
            # The reader compares the shapes; its message is about images.
            return images
        self.n_features_in_ = int(np.prod(images.shape[1:]))
        return images

    def _shape_of_rows(self, X: Any) -> Sequence[int] | None:
        """Return the shape of the images in the rows of X, if it is a table."""
        return self.image_shape

    def _check_row_length(self, X: np.ndarray, reset: bool) -> None:
        if not reset and X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )

    def _prepared(self, inputs: Inputs, seed: int) -> Inputs:
        augmentation = Augmentation.of(self.augmentation)
        if augmentation is None:
            return inputs
        assert isinstance(inputs, Images)
        augmentation.check_images(inputs.reader.image_shape, inputs.reader.values)
        return inputs.augmented(augmentation, seed)

    def targets_for(self, y: np.ndarray, classes: Any = None) -> Targets:
        augmentation = Augmentation.of(self.augmentation)
        if augmentation is not None and augmentation.mixes and is_indicator_matrix(y):
            raise ValueError(
                "'mixup' and 'cutmix' mix samples with one label each; y is an indicator matrix. "
                "Leave them out of augmentation"
            )
        return super().targets_for(y, classes)

    def _new_labels(self, classes: np.ndarray | None) -> Labels:
        return MixedLabels(self.label_smoothing, self.class_weight, classes)

    # Predictions --------------------------------------------------------------------------

    def _decoded(self, X: Any, decode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return self._decoded_from(self._inputs(X), decode)

    def _decoded_reals(self, X: Any, decode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        inputs, given = self._inputs_and_dtype(X)
        dtype = self._result_dtype(given)
        return self._decoded_from(inputs, lambda outputs: decode(outputs).astype(dtype, copy=False))

    def _decoded_from(
        self, inputs: Inputs, decode: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        views = self._views(inputs)
        if len(views) == 1:
            return host_outputs(self.network_, inputs, decode)
        both = [host_outputs(self.network_, each, lambda outputs: outputs) for each in views]
        return decode((both[0] + both[1]) / 2)

    def _views(self, inputs: Inputs) -> list[Inputs]:
        assert isinstance(inputs, Images)
        return [inputs, inputs.flipped()] if self.test_time_flip else [inputs]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags


def _is_list_of_images(X: Any) -> bool:
    """Return whether X is a list of arrays with at least two axes, whose sizes may differ."""
    return isinstance(X, list | tuple) and bool(X) and all(np.ndim(x) >= 2 for x in X[:1])
