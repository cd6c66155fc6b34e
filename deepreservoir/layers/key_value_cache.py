"""Keys and values of tokens that were read before: generation computes each token once."""

from __future__ import annotations

from ..backend import Array, array_module

#: Name of the side array under which attention finds a cache.
KEYS_AND_VALUES = "keys_and_values"


class KeyValueCache:
    """The keys and values of all attention layers for the tokens read so far.

    A pass whose side arrays hold a cache, as :data:`KEYS_AND_VALUES`, continues after these
    tokens. Its caller calls :meth:`advance` when all layers have been computed.

    Parameters
    ----------
    capacity : int
        Largest number of tokens.

    Attributes
    ----------
    length : int
        Number of tokens read so far.

    Examples
    --------
    >>> import numpy as np
    >>> cache = KeyValueCache(3)
    >>> token = np.ones((1, 1, 2, 4))
    >>> cache.extended("layers.0", token, token)[0].shape
    (1, 1, 2, 4)
    >>> cache.advance(1)
    >>> cache.extended("layers.0", token, token)[0].shape
    (1, 2, 2, 4)
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self._arrays: dict[str, tuple[Array, Array]] = {}

    def extended(self, path: str, k: Array, v: Array) -> tuple[Array, Array]:
        """Return keys and values of all tokens, those of new ones among them.

        Parameters
        ----------
        path : str
            Path of the attention layer.
        k, v : array, shape (n, tokens, heads, d)
            Of the new tokens.

        Returns
        -------
        k, v : array, shape (n, length + tokens, heads, d)

        Raises
        ------
        ValueError
            If there are more tokens than the cache has room for.
        """
        stop = self.length + k.shape[1]
        if stop > self.capacity:
            raise ValueError(
                f"the cache has room for {self.capacity} tokens; got {self.length} and "
                f"{k.shape[1]} more"
            )
        if path not in self._arrays:
            xp, shape = array_module(k), (len(k), self.capacity, *k.shape[2:])
            self._arrays[path] = xp.empty(shape, k.dtype), xp.empty(shape, v.dtype)
        keys, values = self._arrays[path]
        keys[:, self.length : stop] = k
        values[:, self.length : stop] = v
        return keys[:, :stop], values[:, :stop]

    def advance(self, tokens: int) -> None:
        """Count tokens as read, after all layers have been computed for them."""
        self.length += tokens
