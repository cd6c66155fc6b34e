"""Tokens that a decoder generates, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import to_device, to_host
from ..checks import is_finite_number
from ..kernels import log_softmax
from ..layers import INFERENCE, KEYS_AND_VALUES, KeyValueCache, Pass
from ..network import Network
from ..scaffold import Stream


@dataclass(frozen=True)
class Sampler:
    """Draws tokens from logits.

    Parameters
    ----------
    temperature : float
        Divisor of the logits; 0 for the most probable token.
    top_p : float
        Only the most probable tokens are drawn, as many as are needed for this probability
        (nucleus sampling; Holtzman et al., 2020).
    seed : int

    Raises
    ------
    ValueError
        If the temperature is negative, or `top_p` is not in (0, 1].
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not is_finite_number(self.temperature) or self.temperature < 0:
            raise ValueError(
                f"temperature must be a number of at least 0; got {self.temperature!r}"
            )
        if not is_finite_number(self.top_p) or not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1]; got {self.top_p!r}")

    def draw(self, logits: np.ndarray, number: int) -> int:
        """Return a token.

        Parameters
        ----------
        logits : ndarray of float64, shape (vocabulary,)
        number : int
            Number of the draw, by which it is keyed.
        """
        if self.temperature == 0:
            return int(logits.argmax())
        below = logits - logits.max()  # so that a small temperature gives no infinities above
        with np.errstate(over="ignore"):
            p = np.exp(log_softmax(below[None] / self.temperature)[0])
        order = np.argsort(-p, kind="stable")
        shares = np.cumsum(p[order])
        # The token with which the sum reaches top_p is the last one.
        kept = int(np.searchsorted(shares, self.top_p * shares[-1])) + 1
        shares = shares[:kept]
        word = Stream(self.seed, "", "generate").words(1, substream=number)[0]
        share = float(word >> np.uint64(11)) * 2.0**-53  # in [0, 1)
        chosen = np.searchsorted(shares, share * shares[-1], side="right")
        return int(order[min(int(chosen), len(shares) - 1)])


def generated(
    network: Network,
    codes: Sequence[int],
    context: int,
    sampler: Sampler,
    cached: bool = True,
) -> Iterator[int]:
    """Yield tokens that continue a prompt, without end.

    At most `context` tokens are read. Where there would be more, the older half is left out.

    Parameters
    ----------
    network : Network
        A decoder.
    codes : sequence of int
        The prompt, of which the last `context` tokens are read.
    context : int
    sampler : Sampler
    cached : bool, default=True
        Whether keys and values of tokens that were read before are kept, instead of computing them
        again: the same tokens, up to rounding.
    """
    window, number = list(codes)[-context:], 0
    cache = KeyValueCache(context)
    while True:
        if len(window) > context:
            window = window[-((context + 1) // 2) :]
            cache = KeyValueCache(context)
        on = Pass(side={KEYS_AND_VALUES: cache}) if cached else INFERENCE
        new = window[cache.length :]
        token = sampler.draw(_last_logits(network, new, on), number)
        if cached:
            cache.advance(len(new))
        yield token
        window.append(token)
        number += 1


def _last_logits(network: Network, codes: Sequence[int], on: Pass) -> np.ndarray:
    """Return the logits of the token after `codes`, float64 on the host, (vocabulary,)."""
    x: Any = to_device(np.array([codes], np.int32), network.device)
    hidden = network.body.forward(x, on)[0][:, -1]  # (1, width)
    return to_host(network.head.forward(hidden, on)[0])[0].astype(np.float64)
