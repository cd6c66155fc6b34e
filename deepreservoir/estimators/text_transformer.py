"""Transformer encoders as a classifier of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from ..inputs import Reader, TextReader, WordPieces
from ..inputs.documents import check_order
from ..inputs.texts import PADDING
from ..models import TextTransformerConfig
from .base.classifier import DeepClassifier
from .base.descriptions import ARCHITECTURE_PARAMETERS, ATTRIBUTES, fill, without
from .base.fitting import DeepEstimator
from .base.label_checks import check_class_labels
from .base.parameters import AdaptationParameters
from .base.registry import register_estimator
from .base.scored_labels import SoftmaxLabels
from .base.targets import Labels

_TEXTS = """\
width : int, default=256
        Width of a token, divisible by `heads`.
    depth : int, default=3
        Number of blocks of attention and MLP.
    heads : int, default=4
        Number of heads of attention.
    max_length : int, default=512
        Maximum number of tokens read of a text.
    vocabulary : str, path or list of str, default=None
        Word pieces: the path of a file with one on each line, such as vocab.txt of
        bert-base-uncased, or the word pieces themselves. None trains a byte-level byte-pair
        encoding in `fit`. Either is saved with the fitted model; this parameter is not.
    vocabulary_size : int, default=4096
        Number of tokens of an encoding that is trained in `fit`: 256 bytes, the end of a document,
        and pairs. Short texts have fewer pairs. For codes, the number of tokens.
    long_texts : {"cut", "refuse"}, default="cut"
        What to do about texts of more than `max_length` tokens: read only their beginning, with a
        warning, or raise an error. Predictions too follow the value that is set when they are made.
    mlp_ratio : int, default=4
        Width of the hidden layer of the MLP, in units of `width`.
    adapt : {"attention", "all"}, default="attention"
        Which matrices carry adapters and scales: those of attention, or those of the MLP too. The
        others stay frozen on their scaffolds.
    embeddings : {"trained", "adapted", "frozen"}, default="trained"
        Whether the embeddings of tokens and positions are trained, are rows of matrices on
        scaffolds with adapters, or are rows of scaffolds without.
    dropout : float, default=0.1
        Share that is dropped during training of the embeddings and of the outputs of attention and
        MLP.
    recompute : bool, default=False
        Whether the backward pass computes the activations of a block again instead of keeping
        them: the same gradients, in less memory and more time.
    """

_PARAMETERS = _TEXTS + ARCHITECTURE_PARAMETERS
_ATTRIBUTES = without(ATTRIBUTES, "n_features_in_", "feature_names_in_")


@dataclass(eq=False, repr=False)
class TextTransformer(AdaptationParameters):
    """The parameters of a Transformer encoder, its configuration, and checks of texts."""

    width: int = 256
    depth: int = 3
    heads: int = 4
    max_length: int = 512
    _: KW_ONLY
    vocabulary: Any = None
    vocabulary_size: int = 4096
    long_texts: Literal["cut", "refuse"] = "cut"
    mlp_ratio: int = 4
    adapt: str = "attention"
    embeddings: str = "trained"
    dropout: float = 0.1
    recompute: bool = False

    #: Embeddings that take less memory than trained ones.
    adapted_embeddings: ClassVar[str] = "adapted"

    def network_config(self, vocabulary: int, n_outputs: int) -> TextTransformerConfig:
        """Return the configuration of the network that the parameters describe.

        Parameters
        ----------
        vocabulary : int
            Number of tokens.
        n_outputs : int
            Width of the output.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        return TextTransformerConfig(
            vocabulary=vocabulary,
            n_outputs=n_outputs,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            max_length=self.max_length,
            mlp_ratio=self.mlp_ratio,
            adapt=self.adapt,
            embeddings=self.embeddings,
            dropout=self.dropout,
            recompute=self.recompute,
            **self.adaptation(),
        )

    def new_reader(self) -> Reader:
        """Return a reader that has not seen any text."""
        return TextReader(self.max_length, self.vocabulary_size, self.vocabulary, self.long_texts)


class _Fitted(DeepClassifier):  # not a dataclass, whose annotations would be parameters
    _reader: TextReader


@register_estimator
@dataclass(eq=False, repr=False)
class TextTransformerClassifier(TextTransformer, _Fitted):
    """A classifier of texts by a Transformer encoder whose weight matrices are frozen.

    Blocks of attention and MLP transform the embeddings of tokens, with layer normalisation before
    each, and the output layer reads the mean over the tokens of a text. The matrices are drawn
    from a seed; low-rank adapters of the attention with one scale per matrix, the embeddings and
    the output layer are trained (LottaLoRA, arXiv 2604.08749).

    X is a list of texts, or of the codes of their tokens: arrays of integers of any lengths, or
    one array (n, t), in which -1 after the end of a text is padding. Texts need the library
    tokenizers: ``pip install "deepreservoir[text]"``. The head has one logit per class, also for
    two classes, as in the paper.

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

    See Also
    --------
    CausalLanguageModel : A decoder, which continues texts.

    References
    ----------
    Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin, Attention is all you
    need, NeurIPS 2017.

    Examples
    --------
    >>> from deepreservoir import TextTransformerClassifier
    >>> X = ["a fine film", "a dull film", "a fine story", "a dull story"] * 10
    >>> y = ["good", "bad"] * 20
    >>> model = TextTransformerClassifier(
    ...     16, depth=1, heads=2, max_length=16, vocabulary_size=280, max_iter=20,
    ...     learning_rate_init=0.01, random_state=0
    ... )
    >>> model.fit(X, y).predict(["a dull fine", "fine"]).shape
    (2,)
    >>> model.score(X, y)
    1.0
    """

    _: KW_ONLY
    learning_rate_init: float = 1e-3
    warmup: float = 0.1
    max_grad_norm: float | None = 1.0
    batch_size: int | Literal["auto"] = 32
    max_iter: int = 10

    adapter_parameters: ClassVar[frozenset[str]] = DeepEstimator.adapter_parameters | {
        "adapt",
        "embeddings",
    }
    absent_parameters: ClassVar[Mapping[str, Any]] = {
        **DeepEstimator.absent_parameters,
        "vocabulary": None,
    }
    shares_products: ClassVar[bool] = False
    unsaved_parameters: ClassVar[frozenset[str]] = frozenset({"vocabulary"})
    reader_parameters: ClassVar[tuple[str, ...]] = ("vocabulary", "vocabulary_size")

    def check_params(self) -> None:
        """Raise a ValueError that names the first parameter that is out of range."""
        super().check_params()
        reader = self.new_reader()
        self.network_config(n_outputs=2, **reader.sizes())

    def _current_reader(self) -> TextReader:
        return self._reader.with_long_texts(self.long_texts)

    def _reads_alike(self, name: str, value: Any) -> bool:
        pieces = self._reader.tokenizer
        if isinstance(pieces, WordPieces) and name == "vocabulary_size":
            return True  # a given vocabulary has its own size
        if isinstance(pieces, WordPieces) and value is not None:
            return WordPieces.of(value).tokens == pieces.tokens
        return super()._reads_alike(name, value)

    def _new_labels(self, classes: np.ndarray | None) -> Labels:
        return SoftmaxLabels(self.label_smoothing, self.class_weight, classes)

    def validated_pair(self, X: Any, y: Any, reset: bool, on_device: bool) -> tuple[Any, Any]:
        """Return the list of texts or codes, and y as an array with one row per text."""
        texts = self.validated_features(X, on_device)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = np.asarray(y)
        if y.ndim == 0 or len(y) != len(texts):
            raise ValueError(
                f"y must have one row for each of {len(texts)} texts; got shape {y.shape}"
            )
        check_class_labels(y)
        return texts, y

    def validated_features(self, X: Any, on_device: bool) -> Any:
        if on_device:
            raise TypeError(
                "texts are read on the host, and moved to the device of the estimator; got device "
                "arrays. Convert them with deepreservoir.backend.to_host"
            )
        return _samples_of(X)

    def encode(self, X: Any) -> np.ndarray:
        """Return the codes of texts as the network reads them, with -1 after the end of a text.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of int64, shape (n_texts, t)
            t is the length of the longest text. An ONNX graph of the model reads this array, and
            the model itself reads it too.
        """
        check_is_fitted(self, "network_")
        inputs = self._current_reader().read(self.validated_features(X, False), np.float32, "cpu")
        return inputs.padded(np.arange(len(inputs)), PADDING)[0].astype(np.int64)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _samples_of(X: Any) -> Any:
    """Return X as a list of texts or of arrays of codes, whose entries a reader checks."""
    if isinstance(X, str | bytes):
        raise ValueError("X must be a list of texts; got a single text. Pass [text]")
    X = np.asarray(X) if hasattr(X, "to_numpy") else X  # of pandas, Polars or Arrow
    check_order(X)
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "OUS":
        if X.shape[1] != 1:
            raise ValueError(
                f"X must have one text for each sample; got a table of {X.shape[1]} columns. "
                "Select the column of the texts"
            )
        X = X[:, 0]
    if not hasattr(X, "__len__"):
        raise ValueError(
            f"X must be a list of texts, or of the codes of each; got {type(X).__name__}"
        )
    if not len(X):
        raise ValueError("X must have at least one text; got none")
    return X if isinstance(X, np.ndarray) and X.dtype.kind in "iu" else list(X)


fill(TextTransformerClassifier, _PARAMETERS, _ATTRIBUTES)
