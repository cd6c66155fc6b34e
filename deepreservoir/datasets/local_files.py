"""Files of data sets that are on this machine, checked before they are used."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np

from .idx import ENVIRONMENT, DatasetUnavailable, cache_folder


def find(folder: str, name: str) -> Path | None:
    """Return the path of a file in a folder of the data or of the cache; None without one."""
    roots = [Path(os.environ[ENVIRONMENT])] if os.environ.get(ENVIRONMENT) else []
    paths = (root / folder / name for root in (*roots, cache_folder()))
    return next((path for path in paths if path.is_file()), None)


def missing(dataset: str, folder: str, names: str, source: str) -> DatasetUnavailable:
    """Return the error for a data set without files on this machine, which says where to put them.

    Parameters
    ----------
    dataset, folder, names : str
    source : str
        Where the files are published.
    """
    return DatasetUnavailable(
        f"{dataset} is not on this machine. Put {names} from {source} into "
        f"{cache_folder() / folder}, or set {ENVIRONMENT} to the folder that contains {folder}/"
    )


def verified(path: Path, size: int, sha256: str) -> bytes:
    """Return the content of a file, without reading more than expected.

    Raises
    ------
    DatasetUnavailable
        If it is not the published content.
    """
    with path.open("rb") as stream:
        content = stream.read(size + 1)
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise DatasetUnavailable(
            f"{path} does not contain the published data: expected {size:,} bytes with SHA-256 "
            f"{sha256}, found {digest} (of the first {len(content):,} bytes). Delete it and copy "
            "it again"
        )
    return content


def verified_arrays(path: Path, size: int, sha256: str) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file with a known content; nothing in it is unpickled."""
    with np.load(io.BytesIO(verified(path, size, sha256)), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
