"""The folder of a sweep: what is run, and a record a line of what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..experiments.comparisons.results import machine, now, versions, write_atomically
from ..files import temporary_prefix
from .plain_data import canonical
from .spec import Sweep

_SWEEP = "sweep.json"
_RECORDS = "records.jsonl"


class Folder:
    """The folder that a sweep's records are kept in.

    A record is one line, written as its run ends and on the disk before the next is begun; a line
    that was cut off by a kill or a full disk is dropped when the folder is next opened.

    Parameters
    ----------
    path : str or path
    sweep : Sweep, optional
        Of which the folder is, or is to be; not given, it is read from the folder.
    task : {"classification", "regression"}
        What the sweep's data set asks for; read from the folder where there is one.

    Attributes
    ----------
    path : Path
    sweep : Sweep
    task : {"classification", "regression"}
    began : dict
        When and where the sweep began: ``date``, ``machine`` and ``versions``.

    Raises
    ------
    ValueError
        If the folder holds another sweep, or something that is none.
    OSError
        If it cannot be made or written to.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sweep: Sweep | None = None,
        task: str = "classification",
    ) -> None:
        self.path = Path(path)
        document = self._found()
        if document is None:
            if sweep is None:
                raise ValueError(
                    f"{self.path} holds no sweep: there is no {_SWEEP} in it; name the folder that "
                    "a sweep was written to"
                )
            document = self._begun(sweep, task)
        if sweep is not None and document["digest"] != sweep.digest():
            raise ValueError(
                f"{self.path} holds the results of another sweep ({document['sweep']['name']}), "
                "which differs in its data set, grid, seeds or protocol; name another folder"
            )
        self.sweep = Sweep.from_dict(document["sweep"]) if sweep is None else sweep
        self.task: str = document.get("task", task)  # the first folders did not tell
        self.began = {name: document[name] for name in ("date", "machine", "versions")}

    @property
    def own_files(self) -> tuple[Path, Path]:
        """The files of the folder that nothing else may write to."""
        return self.path / _SWEEP, self.path / _RECORDS

    def _found(self) -> dict[str, Any] | None:
        file = self.path / _SWEEP
        if not file.exists():
            return None
        try:
            document = json.loads(file.read_text())
            Sweep.from_dict(document["sweep"])
            _ = [document[name] for name in ("digest", "date", "machine", "versions")]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is no description of a sweep: {error!r}") from None
        return dict(document)

    def _begun(self, sweep: Sweep, task: str) -> dict[str, Any]:
        """Write the description, and return it; the folder is locked before it is changed."""
        if self.path.is_dir() and not all(map(_is_left_over, self.path.iterdir())):
            if (document := self._found()) is not None:  # another process has just written it
                return document
            raise ValueError(
                f"{self.path} holds files that are no sweep's results; name an empty folder, "
                "or one that is not there yet"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if (document := self._found()) is not None:
                return document
            for part in filter(_is_part, self.path.iterdir()):
                part.unlink()
            return self._write_description(sweep, task)

    def _write_description(self, sweep: Sweep, task: str) -> dict[str, Any]:
        document = {
            "sweep": sweep.to_dict(),
            "digest": sweep.digest(),
            "task": task,
            "date": now(),
            "machine": machine(),
            "versions": versions(),
        }
        write_atomically(self.path / _SWEEP, json.dumps(document, indent=1) + "\n")
        return document

    def records(self) -> list[dict[str, Any]]:
        """Return the records, the last of each run, in the order in which they came.

        Raises
        ------
        ValueError
            For a line that is no record.
        """
        found: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(self._lines(), start=1):
            try:
                record = json.loads(line)
                found.pop(record["run"], None)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{self.path / _RECORDS}, line {number}, is no record: {error!r}; delete the "
                    "line, and the sweep makes its run again"
                ) from None
            found[record["run"]] = record
        return list(found.values())

    def _lines(self) -> list[bytes]:
        """Return the lines of the records' file, without one that was cut off."""
        try:
            return (self.path / _RECORDS).read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep the folder to this process while records are added.

        Raises
        ------
        ValueError
            If another process is adding records.
        OSError
            If it cannot be written to.
        """
        with self._locked():
            self._mend()
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the folder, which is on the file of the records."""
        with open(self.path / _RECORDS, "ab") as file:
            if not _lock(file):
                raise ValueError(
                    f"another process is running the sweep in {self.path}; wait for it, or name "
                    "another folder"
                )
            yield

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Add records, on the disk when this returns; one that does not fit is left out whole."""
        text = "".join(canonical(record) + "\n" for record in records).encode()
        file = self.path / _RECORDS
        try:
            with open(file, "ab", buffering=0) as stream:
                while text:
                    text = text[stream.write(text) :]
                os.fsync(stream.fileno())
        except OSError as error:
            self._mend()
            raise OSError(error.errno, f"{error.strerror}; start again to go on", file) from error

    def _mend(self) -> None:
        """Drop a last line that was cut off."""
        file = self.path / _RECORDS
        content = file.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(file, whole)


def _is_part(path: Path) -> bool:
    """Tell whether a file is what a kill left of writing the description."""
    return path.name.startswith(temporary_prefix(_SWEEP))


def _is_left_over(path: Path) -> bool:
    """Return whether a file is what a process that was killed left before the sweep began."""
    empty_records = path.name == _RECORDS and path.is_file() and path.stat().st_size == 0
    return empty_records or _is_part(path)


def _lock(file: IO[bytes]) -> bool:
    """Take a file for this process until it is closed; return whether it was free."""
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
