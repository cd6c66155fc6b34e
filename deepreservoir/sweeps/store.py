"""The folder of a sweep: its declaration, and its records, one per line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..experiments.comparisons.results import (
    default_metric,
    machine,
    now,
    write_atomically,
)
from ..files import temporary_prefix
from ..user_warnings import warn_user
from ..versions import differing, versions
from .plain_data import canonical, frozen
from .spec import Sweep

_SWEEP = "sweep.json"
_RECORDS = "records.jsonl"
_LATER = "later_versions"


class Folder:
    """The folder that stores a sweep's records.

    A record is one line. It is synced to disk when its run ends, before the next run starts. A
    line that was truncated by a kill or a full disk is dropped when the folder is next opened for
    writing.

    Parameters
    ----------
    path : str or path
    sweep : Sweep, optional
        The sweep that the folder belongs to. By default it is read from the folder.
    task : {"classification", "regression", "language", "control"}
        Task of the sweep's data set. An existing folder has its own value.
    metric : {"accuracy", "r2", "roc_auc"}, optional
        Metric of a new folder; by default that of the task.

    Attributes
    ----------
    path : Path
    sweep : Sweep
    task : {"classification", "regression", "language", "control"}
    metric : {"accuracy", "r2", "roc_auc"}
        What the scores are; by default accuracy, or R^2 for a regression.
    began : dict
        When and where the sweep began: ``date``, ``machine`` and ``versions``.
    versions : list of dict
        All versions of packages under which records were made: those of the beginning, and those
        with which the sweep was continued.

    Raises
    ------
    ValueError
        If the folder holds another sweep, or other files.
    OSError
        If the folder cannot be created or written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Folder, Sweep, run_sweep
    >>> quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    >>> grid, arms = (("rank", (1,)),), ("full",)
    >>> sweep = Sweep("ranks", "friedman1", None, None, (0,), quick, grid, arms=arms)
    >>> with TemporaryDirectory() as out:
    ...     _ = run_sweep(sweep, out)
    ...     folder = Folder(out)
    ...     [(record["arm"], record["seed"]) for record in folder.records()]
    [('full', 0)]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sweep: Sweep | None = None,
        task: str = "classification",
        metric: str | None = None,
    ) -> None:
        self.path = Path(path)
        document = self._description()
        if document is None:
            if sweep is None:
                raise ValueError(
                    f"{self.path} is not the folder of a sweep: it has no {_SWEEP}; name the "
                    "folder that a sweep was written to"
                )
            document = self._begin(sweep, task, metric)
        # The digests of earlier versions depended on the name of a CSV file.
        digests = document["digest"], Sweep.from_dict(document["sweep"]).digest()
        if sweep is not None and sweep.digest() not in digests:
            raise ValueError(
                f"{self.path} holds the results of another sweep ({document['sweep']['name']}), "
                "which differs in its data set, grid, seeds or protocol; name another folder"
            )
        self.sweep = Sweep.from_dict(document["sweep"]) if sweep is None else sweep
        self.task: str = document.get("task", task)  # the first version did not store it
        self.metric: str = document.get("metric", default_metric(self.task))
        self.began = {name: document[name] for name in ("date", "machine", "versions")}
        self.versions: list[dict[str, str]] = _all_versions(document)
        self._keeps_versions = False

    @property
    def own_files(self) -> tuple[Path, Path]:
        """The files of the folder that nothing else may overwrite."""
        return self.path / _SWEEP, self.path / _RECORDS

    def _description(self) -> dict[str, Any] | None:
        """Return the description, or None if the folder has none yet."""
        return self._document() if (self.path / _SWEEP).exists() else None

    def _document(self) -> dict[str, Any]:
        file = self.path / _SWEEP
        try:
            document = json.loads(file.read_text())
            Sweep.from_dict(document["sweep"])
            _ = [document[name] for name in ("digest", "date", "machine")]
            if not all(isinstance(each, dict) for each in _all_versions(document)):
                raise TypeError("versions must be objects")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is not the description of a sweep: {error!r}") from None
        return dict(document)

    def _begin(self, sweep: Sweep, task: str, metric: str | None) -> dict[str, Any]:
        """Write and return the description; the folder is locked before it is changed."""
        if self.path.is_dir() and not all(map(_is_left_over, self.path.iterdir())):
            if (document := self._description()) is not None:  # another process just wrote it
                return document
            raise ValueError(
                f"{self.path} contains files that are not results of a sweep; name an empty "
                "folder, or one that does not exist yet"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if (document := self._description()) is not None:
                return document
            for part in filter(_is_part, self.path.iterdir()):
                part.unlink()
            return self._write_description(sweep, task, metric or default_metric(task))

    def _write_description(self, sweep: Sweep, task: str, metric: str) -> dict[str, Any]:
        document = {
            "sweep": sweep.to_dict(),
            "digest": sweep.digest(),
            "task": task,
            "metric": metric,
            "date": now(),
            "machine": machine(),
            "versions": versions(),
        }
        self._write(document)
        return document

    def _write(self, document: dict[str, Any]) -> None:
        write_atomically(self.path / _SWEEP, json.dumps(document, indent=1) + "\n")

    def warn_of_other_versions(self) -> None:
        """Warn if records were made under other versions of packages than those of this process."""
        found = versions()
        differences = [each for earlier in self.versions for each in differing(earlier, found)]
        if differences and self._lines():
            earlier = dict.fromkeys(_package(name, one) for name, one, _ in differences)
            now = dict.fromkeys(_package(name, other) for name, _, other in differences)
            warn_user(
                f"records in {self.path} were made with {', '.join(earlier)}, and more are made "
                f"with {', '.join(now)}: "
                "they may differ for this reason alone; if they must not, install the earlier "
                "versions or name another folder"
            )

    def _keep_versions(self) -> None:
        """Store the versions of this process beside those under which records were made."""
        found = versions()
        if all(any(differing(each, found)) for each in self.versions):
            self.versions = [*self.versions, found] if self._lines() else [found]
            self.began["versions"], *later = self.versions
            self._write(self._document() | {"versions": self.began["versions"], _LATER: later})
        self._keeps_versions = True

    def records(self) -> list[dict[str, Any]]:
        """Return the last record of each run, in the order in which they were written.

        Raises
        ------
        ValueError
            If a line is not a record of the sweep.
        """
        grid = dict(self.sweep.grid)
        last_records: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(self._lines(), start=1):
            try:
                record = json.loads(line)
                missing = [name for name in ("run", "arm", "at", "seed") if name not in record]
                if missing:
                    raise KeyError(missing[0])
                if "score" in record and not isinstance(record["score"], int | float):
                    raise TypeError(f"the score is {record['score']!r}")
                if not isinstance(record["at"], dict):
                    raise TypeError(f"at is {record['at']!r}")
                for name, value in record["at"].items():
                    if frozen(value) not in grid.get(name, ()):
                        raise ValueError(f"{name} = {value!r} is not on the grid")
                last_records.pop(record["run"], None)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{self.path / _RECORDS}, line {number}, is not a record: {error!r}; delete "
                    "the line, and the sweep will repeat its run"
                ) from None
            last_records[record["run"]] = record
        return list(last_records.values())

    def _lines(self) -> list[bytes]:
        """Return the lines of the file of records, without a truncated last line."""
        try:
            return (self.path / _RECORDS).read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock the folder for this process while records are added.

        Raises
        ------
        ValueError
            If another process is adding records.
        OSError
            If the folder cannot be written to.
        """
        with self._locked():
            self._mend()
            self._update_description()
            yield

    def _update_description(self) -> None:
        """Store the name and the published figures of the sweep, which may have changed."""
        document = self._description()
        if document is not None and document["sweep"] != self.sweep.to_dict():
            self._write(document | {"sweep": self.sweep.to_dict()})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the folder, which is a lock on the file of records."""
        with open(self.path / _RECORDS, "ab") as file:
            if not _lock(file):
                raise ValueError(
                    f"another process is running the sweep in {self.path}; wait for it, or name "
                    "another folder"
                )
            yield

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Append records and sync them to disk; a record that does not fit leaves no trace."""
        if not self._keeps_versions:
            self._keep_versions()
        text = "".join(canonical(record) + "\n" for record in records).encode()
        file = self.path / _RECORDS
        try:
            with open(file, "ab", buffering=0) as stream:
                while text:
                    text = text[stream.write(text) :]
                os.fsync(stream.fileno())
        except OSError as error:
            self._mend()
            raise OSError(
                error.errno, f"{error.strerror}; start the sweep again to continue", file
            ) from error

    def _mend(self) -> None:
        """Remove a truncated last line."""
        file = self.path / _RECORDS
        content = file.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(file, whole)


def _all_versions(document: dict[str, Any]) -> list[dict[str, str]]:
    return [document["versions"], *document.get(_LATER, ())]


def _package(name: str, version: str | None) -> str:
    return f"no {name}" if version is None else f"{name} {version}"


def _is_part(path: Path) -> bool:
    """Return whether a file is a temporary file of an interrupted write of the description."""
    return path.name.startswith(temporary_prefix(_SWEEP))


def _is_left_over(path: Path) -> bool:
    """Return whether a file was left by a process that was killed before the sweep began."""
    empty_records = path.name == _RECORDS and path.is_file() and path.stat().st_size == 0
    return empty_records or _is_part(path)


def _lock(file: IO[bytes]) -> bool:
    """Lock a file until it is closed; return False if another process holds the lock."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
