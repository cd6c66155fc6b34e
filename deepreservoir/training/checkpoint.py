"""Checkpoints: training that was killed resumes where it stopped, with the same bits."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from ..backend import is_on_device, to_host
from ..container import ArtifactError, Contents, read, write
from ..user_warnings import warn_user

#: Minimum number of seconds between two writes of the file.
SECONDS = 10.0

#: Entry "kind" of the document of a checkpoint.
KIND = "checkpoint"


@dataclass
class Progress:
    """The state of a training run after a step.

    Attributes
    ----------
    epoch, step : int
        Number of completed epochs, and of completed steps in the current one.
    total : float
        Sum of the losses of these steps, each times its number of rows.
    numbers : dict of str to float
        Counters and best values by name.
    history : dict of str to list
        History of the completed epochs.
    arrays : dict of str to ndarray
        The adapter, the optimiser's moments and averages, on the host.
    """

    epoch: int
    step: int
    total: float
    numbers: dict[str, float]
    history: dict[str, list[Any]]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


# JSON has no infinity or NaN; hexadecimal text has both, and represents all floats exactly.


def _to_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_to_text(inner) for inner in value]
    return float(value).hex()


def _from_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _from_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_from_text(inner) for inner in value]
    return float.fromhex(value)


class Checkpoint:
    """The checkpoint file of one training run.

    Parameters
    ----------
    path : str or path

    Attributes
    ----------
    seeds : tuple of int or None
        Seeds of the training run that wrote the existing file; None if there is no file.

    Raises
    ------
    ArtifactError
        If there is a file that is not a complete checkpoint.
    OSError
        If the folder does not exist or cannot be written to.

    Examples
    --------
    Estimators take the path in ``fit(X, y, checkpoint=path)``. For a loop of one's own:

    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.training import Checkpoint, fingerprint
    >>> with TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(f"{folder}/training.checkpoint")
    ...     checkpoint.begin((0,), fingerprint("the data and the plan"))
    ...     checkpoint.resume() is None  # there is no file yet
    True
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        folder = self.path.absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise NotADirectoryError(
                f"the folder of checkpoint {self.path} does not exist, or cannot be written to"
            )
        self.seeds: tuple[int, ...] | None = None
        self._reported: set[str] = set()  # reasons that have been warned about
        self._existing: Contents | None = None
        if self.path.exists():
            self._existing = read(self.path, max_bytes=1 << 62)  # the user's own file
            if self._existing.document.get("kind") != KIND:
                raise ArtifactError(
                    f"{self.path} is not a checkpoint and would be overwritten; choose another path"
                )
            self.seeds = tuple(self._existing.document["seeds"])

    def begin(self, seeds: tuple[int, ...], fingerprint: str) -> None:
        """Identify the training run by its seeds and the fingerprint of all that determines it.

        Raises
        ------
        ArtifactError
            If the existing file belongs to another training run.
        """
        if self._existing is not None and self._existing.document["fingerprint"] != fingerprint:
            raise ArtifactError(
                f"checkpoint {self.path} belongs to another training run: the data, a parameter, "
                "the random state or the model that a warm start continues from differs. Remove "
                "the file to start again, or choose another path"
            )
        self._training = {"seeds": list(seeds), "fingerprint": fingerprint}
        self._last = time.monotonic()

    def resume(self) -> Progress | None:
        """Return the progress stored in the file, or None if there is no file."""
        if self._existing is None:
            return None
        document = self._existing.document
        return Progress(
            document["epoch"],
            document["step"],
            _from_text(document["total"]),
            _from_text(document["numbers"]),
            _from_text(document["history"]),
            self._existing.tensors,
        )

    @property
    def due(self) -> bool:
        """Whether it is time to write the file again."""
        return time.monotonic() - self._last >= SECONDS

    def save(self, progress: Progress) -> None:
        """Write the progress of the training run, unless it contains values that are not finite.

        Training continues if the file cannot be written: there is one warning per reason, and the
        next checkpoint is tried when it is due.
        """
        self._last = time.monotonic()
        document = {
            "kind": KIND,
            **self._training,
            "epoch": progress.epoch,
            "step": progress.step,
            "total": _to_text(progress.total),
            "numbers": _to_text(progress.numbers),
            "history": _to_text(progress.history),
        }
        try:
            with contextlib.suppress(ArtifactError):
                write(self.path, Contents(document, progress.arrays, {}))
        except OSError as error:
            reason = error.strerror or str(error)
            if reason not in self._reported:
                self._reported.add(reason)
                warn_user(
                    f"the checkpoint {self.path} could not be written: {reason}. Training "
                    f"continues, and writing is tried again every {SECONDS:g} seconds; if the "
                    "process ends before it succeeds, training resumes from the last checkpoint "
                    "written, if any"
                )

    def remove(self) -> None:
        """Remove the file after training; warn if that fails."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            warn_user(
                f"the checkpoint {self.path} could not be removed: {error.strerror or error}. "
                "Training has ended, and the file is no longer needed; remove it before another "
                "training uses this path"
            )


def fingerprint(*parts: Any) -> str:
    """Return a SHA-256 of what determines a training run, from the values and their types.

    Parameters
    ----------
    *parts : None, bool, int, float, str, bytes, array, CSR matrix, dataclass, list, tuple or dict
        Or an object with a method ``digest()``, such as inputs.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    TypeError
        For an object of any other type.

    Examples
    --------
    >>> fingerprint("adamw", [np.arange(3)]) == fingerprint("adamw", [np.arange(4)])
    False
    """
    sha = hashlib.sha256()
    for piece in _pieces(parts):
        # Lengths separate neighbours: "ab" and "c" differ from "a" and "bc".
        sha.update(f"{len(piece)}:".encode())
        sha.update(piece)
    return sha.hexdigest()


def _pieces(value: Any) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a value, preceded by those of its type."""
    if is_on_device(value):
        value = to_host(value)
    yield type(value).__qualname__.encode()
    if scipy.sparse.issparse(value):
        yield from _pieces([value.shape, value.indptr, value.indices, value.data])
    elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, np.generic | float):
        yield repr(value).encode()  # every digit
    elif value is None or isinstance(value, bool | int | str):
        yield str(value).encode()
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        yield from _pieces([list(pair) for pair in value.items()])
    elif isinstance(value, list | tuple | np.ndarray | set | frozenset):
        parts = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        yield str(len(parts)).encode()
        for part in parts:
            yield from _pieces(part)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in dataclass_fields(value):
            yield each.name.encode()
            yield from _pieces(getattr(value, each.name))
    elif callable(getattr(value, "digest", None)):
        yield value.digest().encode()
    else:
        raise TypeError(f"a {type(value).__name__} cannot be part of a fingerprint; got {value!r}")
