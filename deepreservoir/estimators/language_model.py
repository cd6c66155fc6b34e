"""Llama-style decoders as language models of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import islice
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..backend import present_device
from ..checks import check_choice, check_integer
from ..choices import RandomState
from ..inputs import Codes, Inputs, Reader, TokenReader, check_text, documents_of
from ..models import PRESETS, DecoderConfig
from ..network import Network
from ..user_warnings import warn_user
from .base.descriptions import ARCHITECTURE_PARAMETERS, ATTRIBUTES, fill, without
from .base.fitting import DeepEstimator
from .base.next_tokens import NextTokens, nats_per_token
from .base.parameters import AdaptationParameters, ScaffoldParameters
from .base.registry import register_estimator
from .base.self_supervised import SelfSupervised
from .base.targets import Targets
from .text_generation import Sampler, generated

_LANGUAGE = """\
preset : {"3M", "30M", "300M", "600M", "900M"}, default=None
        A decoder of the paper, which decides `width`, `depth`, `heads` and `mlp_width`.
    width : int, default=64
        Width of a token; the width of a head, ``width / heads``, must be an even integer.
    depth : int, default=6
        Number of blocks of attention and MLP.
    heads : int, default=4
        Number of heads of attention.
    mlp_width : int, default=192
        Width of the hidden layer of the gated MLP.
    vocabulary_size : int, default=4096
        Number of tokens of the encoding that is trained on the texts: 256 bytes, the end of a
        document, and pairs. Short texts have fewer pairs. For codes, the number of tokens.
    context : int, default=128
        Number of tokens of a window, within which a token sees those before it.
    adapt : {"attention", "all", "none"}, default="attention"
        Which matrices carry adapters and scales: those of attention, those of the MLP too, or
        none. The others stay frozen on their scaffolds.
    embeddings : {"trained", "scaffold"}, default="trained"
        Whether the embeddings of tokens, and an output layer that is not tied, are trained, or are
        matrices on scaffolds with adapters of the same rank, so that a token has `rank` trained
        parameters instead of `width`.
    tied : bool, default=True
        Whether the output layer is the embedding.
    rotary_base : float, default=10000.0
        Base of the rotary positions.
    norm_eps : float, default=1e-5
        Added to the mean square in normalisations.
    recompute : bool, default=False
        Whether the backward pass computes the activations of a block again instead of keeping
        them: the same gradients, in less memory and more time.
    end_token : int, default=None
        Code that ends a document, if X holds documents of codes; None joins them as they are.
    """

_BATCHES = """\
batch_size : int or "auto", default=8
        Windows per training step; ``"auto"`` is 128."""
_PARAMETERS = _LANGUAGE + f"{without(ARCHITECTURE_PARAMETERS, 'batch_size')}\n    {_BATCHES}"
_ATTRIBUTES = without(ATTRIBUTES, "n_features_in_", "feature_names_in_").replace(
    "accuracy or R^2", "minus nats per token"
)


@dataclass(eq=False, repr=False)
class Decoder(AdaptationParameters):
    """The parameters of a decoder, and its configuration."""

    preset: str | None = None
    width: int = 64
    depth: int = 6
    heads: int = 4
    mlp_width: int = 192
    vocabulary_size: int = 4096
    context: int = 128
    _: KW_ONLY
    adapt: str = "attention"
    tied: bool = True
    rotary_base: float = 10_000.0
    norm_eps: float = 1e-5
    recompute: bool = False
    embeddings: str = "trained"

    #: Embeddings that take less memory than trained ones.
    adapted_embeddings: ClassVar[str] = "scaffold"

    def network_config(self, vocabulary: int, n_outputs: int | None = None) -> DecoderConfig:
        """Return the configuration of the network that the parameters describe.

        Parameters
        ----------
        vocabulary : int
            Number of tokens.
        n_outputs : int, optional
            The number of tokens too.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        sizes: dict[str, Any] = {
            name: getattr(self, name) for name in ("width", "depth", "heads", "mlp_width")
        }
        if self.preset is not None:
            check_choice("preset", self.preset, PRESETS)
            sizes |= PRESETS[self.preset]
        return DecoderConfig(
            vocabulary=vocabulary,
            context=self.context,
            adapt=self.adapt,
            tied=self.tied,
            rotary_base=self.rotary_base,
            norm_eps=self.norm_eps,
            recompute=self.recompute,
            embeddings=self.embeddings,
            **sizes,
            **self.adaptation(),
        )


class _Fitted(SelfSupervised):  # not a dataclass, whose annotations would be parameters
    _targets: NextTokens
    _reader: TokenReader


@register_estimator
@dataclass(eq=False, repr=False)
class CausalLanguageModel(ScaffoldParameters, Decoder, _Fitted):
    """A language model of texts: a decoder whose weight matrices are frozen.

    Blocks of causal attention with rotary positions and of gated MLPs, as in Llama, predict each
    token from those before it. All matrices of the blocks are drawn from a seed; low-rank adapters
    of the attention with one scale per matrix, and the embeddings, which are the output layer too,
    are trained (LottaLoRA, arXiv 2604.08749).

    X is a list or an iterator of texts, each of which is a document; the path of a text file, which
    is one document; or codes of tokens: an array of integers, a list of such arrays, or the path of
    a ``.npy`` file, which is mapped into memory. Texts are read one at a time, and only their codes
    are kept. They need the library tokenizers: ``pip install "deepreservoir[text]"``.

    Parameters
    ----------
    {parameters:
    }

    Attributes
    ----------
    vocabulary_size_ : int
        Number of tokens.
    reads_texts_ : bool
        Whether the model was fitted on texts, and so has an encoding of them.
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
    Touvron et al., LLaMA: open and efficient foundation language models, arXiv 2302.13971.
    Su, Lu, Pan, Murtadha, Wen and Liu, RoFormer: enhanced transformer with rotary position
    embedding, arXiv 2104.09864.

    Examples
    --------
    >>> from deepreservoir import CausalLanguageModel
    >>> texts = ["the cat sat on the mat", "the dog sat on the log"] * 10
    >>> model = CausalLanguageModel(
    ...     width=32, depth=2, mlp_width=64, vocabulary_size=300, context=16, max_iter=30,
    ...     learning_rate_init=0.02, random_state=0
    ... )
    >>> model.fit(texts).perplexity(texts) < 2
    True
    >>> model.generate("the dog", max_new_tokens=20, temperature=0)
    ' sat on the log'
    """

    _: KW_ONLY
    end_token: int | None = None
    weight_decay: float | Literal["auto"] = 0.1
    max_grad_norm: float | None = 1.0
    batch_size: int | Literal["auto"] = 8
    max_iter: int = 10

    adapter_parameters: ClassVar[frozenset[str]] = DeepEstimator.adapter_parameters | {"adapt"}
    absent_parameters: ClassVar[Mapping[str, Any]] = {
        **DeepEstimator.absent_parameters,
        "embeddings": "trained",
    }

    reader_parameters: ClassVar[tuple[str, ...]] = ("vocabulary_size", "end_token")

    def new_reader(self) -> Reader:
        """Return a reader that has not seen any text."""
        return TokenReader(self.context, self.vocabulary_size, self.end_token)

    def new_targets(self) -> Targets:
        return NextTokens()

    def _targets_of(self, reader: Reader) -> Targets:
        return NextTokens(reader.sizes()["vocabulary"])

    def _mean_error(self, network: Network, inputs: Inputs) -> float:
        return nats_per_token(network, inputs)

    def check_params(self) -> None:
        """Raise a ValueError that names the first parameter that is out of range."""
        super().check_params()
        check_integer("vocabulary_size", self.vocabulary_size, 2)
        self.new_reader()
        self.network_config(self.vocabulary_size)

    def _is_one_sequence(self, X: Any) -> bool:
        """Return whether X is one stream of codes, whose order cannot change."""
        documents = documents_of(X)
        return isinstance(documents, Codes) and documents.is_stream

    def validated_features(self, X: Any, on_device: bool) -> Any:
        return documents_of(X)  # which a reader may read twice, even if X is an iterator

    def _adopt_targets(self) -> None:
        self.vocabulary_size_ = self._targets.vocabulary

    @property
    def reads_texts_(self) -> bool:
        """Whether the model was fitted on texts, and so has an encoding of them."""
        check_is_fitted(self, "network_")
        return self._reader.tokenizer is not None

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the mean number of nats per token; higher is better.

        The texts are joined and cut into windows as in `fit`.

        Parameters
        ----------
        X : as in `fit`
        y : None
            Not used.

        Returns
        -------
        float
        """
        inputs = self._inputs(X)  # which may move the network
        return -nats_per_token(self.network_, inputs)

    def perplexity(self, X: Any) -> float:
        """Return the exponential of the mean number of nats per token.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        float
        """
        return float(np.exp(-self.score(X)))

    def generate(
        self,
        prompt: str | Sequence[int] | np.ndarray,
        max_new_tokens: int = 50,
        temperature: float = 1.0,
        top_p: float = 1.0,
        random_state: RandomState = None,
        long_prompt: Literal["cut", "refuse"] = "cut",
    ) -> str | np.ndarray:
        """Continue a text, until it ends or has `max_new_tokens` more tokens.

        At most `context` tokens are read at a time. Where there would be more, the older half is
        left out.

        Parameters
        ----------
        prompt : str, or array of int, shape (n_tokens,)
            A text, or codes of tokens.
        max_new_tokens : int, default=50
        temperature : float, default=1.0
            Divisor of the logits; 0 for the most probable token.
        top_p : float, default=1.0
            Tokens are drawn from the most probable ones, as many as are needed for this
            probability.
        random_state : int, RandomState instance or None, default=None
        long_prompt : {"cut", "refuse"}, default="cut"
            What to do about a prompt that is longer than the context: read only its end, with a
            warning, or raise an error.

        Returns
        -------
        str, or ndarray of int64
            What was generated, in the form of the prompt, without the prompt and without the token
            that ends a document.

        Raises
        ------
        ValueError
            If there is nothing in the prompt, or an argument is out of range.
        """
        check_is_fitted(self, "network_")
        check_integer("max_new_tokens", max_new_tokens, 0)
        check_choice("long_prompt", long_prompt, ("cut", "refuse"))
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        sampler = Sampler(temperature, top_p, seed)
        codes, context = self._prompt_codes(prompt), self._reader.context
        if len(codes) > context:
            problem = f"the prompt has {len(codes)} tokens; the context is {context}"
            if long_prompt == "refuse":
                raise ValueError(f"{problem}. Shorten it, or set long_prompt='cut'")
            warn_user(f"{problem}: only the last {context} are read")
        self._move(present_device(self.device))
        found: list[int] = []
        stream = generated(self.network_, codes.tolist(), context, sampler)
        for token in islice(stream, max_new_tokens):
            if token == self._reader.end_token:
                break
            found.append(token)
        if isinstance(prompt, str):
            assert self._reader.tokenizer is not None, "it has encoded the prompt"
            return self._reader.tokenizer.decode(found)
        return np.array(found, np.int64)

    def _prompt_codes(self, prompt: Any) -> np.ndarray:
        """Return the codes of a prompt, checked."""
        if isinstance(prompt, str):
            if not prompt:
                raise ValueError("prompt must have at least one character; got an empty text")
            check_text("prompt", prompt)
            if self._reader.tokenizer is None:
                raise ValueError(
                    "the model was fitted on codes of tokens, and has no encoding of texts; pass "
                    "the prompt as codes"
                )
            return self._reader.tokenizer.encode(prompt)[0]
        codes = np.asarray(prompt)
        if codes.ndim != 1 or codes.dtype.kind not in "iu" or not len(codes):
            raise ValueError(
                "prompt must be a text, or a vector of codes with at least one entry; got "
                f"{prompt!r:.60}"
            )
        vocabulary = self._reader.vocabulary
        wrong = np.flatnonzero((codes < 0) | (codes >= vocabulary))
        if len(wrong):
            raise ValueError(
                f"prompt must hold codes from 0 to {vocabulary - 1}; got {int(codes[wrong[0]])} at "
                f"position {wrong[0]}"
            )
        return codes

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


fill(CausalLanguageModel, _PARAMETERS, _ATTRIBUTES)
