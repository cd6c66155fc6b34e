"""Files of models fitted on a user's data, with an entry that says what the model reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ... import container
from ...artifact.persist import pack
from ...container import ArtifactError, Contents


def save_with_entry(
    model: Any,
    held_out: tuple[Any, np.ndarray],
    path: Path,
    dtype: str | None,
    name: str,
    entry: Any,
) -> Contents:
    """Save a model with an entry of its own, and return the contents of the file.

    Parameters
    ----------
    model : estimator or Pipeline
    held_out : (samples, ndarray)
        The held-out samples and their targets, on which the cost of fewer bits is measured.
    path : Path
    dtype : str or None
        Of the stored parameters, as in :func:`deepreservoir.save`.
    name : str
        Of the entry in the document of the file.
    entry : object
        Plain data.
    """
    held = {} if dtype is None else dict(zip(("X", "y"), held_out, strict=True))
    contents = pack(model, dtype=dtype, **held)
    contents.document[name] = entry
    container.write(path, contents)
    return contents


def read_with_entry(path: Path, max_bytes: int, name: str, what: str) -> Contents:
    """Return the contents of a file that has an entry.

    Parameters
    ----------
    path : Path
    max_bytes : int
    name : str
        Of the entry.
    what : str
        What such a model reads, for the message.

    Raises
    ------
    ArtifactError
        If the file is refused, or has no such entry.
    """
    contents = container.read(path, max_bytes)
    if name not in contents.document:
        raise ArtifactError(f"{path} is not a model of {what}")
    return contents
