"""The folder of a sweep: what is run, and a record a line of what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..experiments.results import machine, now, versions, write_atomically
from .plain import canonical
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

    Attributes
    ----------
    path : Path
    sweep : Sweep
    began : dict
        When and where the sweep began: ``date``, ``machine`` and ``versions``.

    Raises
    ------
    ValueError
        If the folder holds another sweep, or something that is none.
    OSError
        If it cannot be made or written to.
    """

    def __init__(self, path: str | os.PathLike[str], sweep: Sweep | None = None) -> None:
        self.path = Path(path)
        document = self._found()
        if document is None:
            if sweep is None:
                raise ValueError(f"{self.path} holds no sweep: there is no {_SWEEP} in it")
            document = self._begun(sweep)
        elif sweep is not None and document["digest"] != sweep.digest():
            raise ValueError(
                f"{self.path} holds the results of another sweep ({document['sweep']['name']}), "
                "which differs in its data set, grid, seeds or protocol; name another folder"
            )
        self.sweep = Sweep.from_dict(document["sweep"]) if sweep is None else sweep
        self.began = {name: document[name] for name in ("date", "machine", "versions")}

    def _found(self) -> dict[str, Any] | None:
        file = self.path / _SWEEP
        if not file.exists():
            if self.path.is_dir() and any(self.path.iterdir()):
                raise ValueError(
                    f"{self.path} holds files that are no sweep's results; name an empty folder, "
                    "or one that is not there yet"
                )
            return None
        try:
            document = json.loads(file.read_text())
            Sweep.from_dict(document["sweep"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is no description of a sweep: {error!r}") from None
        return dict(document)

    def _begun(self, sweep: Sweep) -> dict[str, Any]:
        self.path.mkdir(parents=True, exist_ok=True)
        document = {
            "sweep": sweep.to_dict(),
            "digest": sweep.digest(),
            "date": now(),
            "machine": machine(),
            "versions": versions(),
        }
        write_atomically(self.path / _SWEEP, json.dumps(document, indent=1) + "\n")
        return document

    def records(self) -> list[dict[str, Any]]:
        """Return the records, the last of each run, in the order in which they came."""
        file = self.path / _RECORDS
        if not file.exists():
            return []
        found: dict[str, dict[str, Any]] = {}
        for line in file.read_bytes().split(b"\n")[:-1]:  # what has no end was cut off
            record = json.loads(line)
            found.pop(record["run"], None)
            found[record["run"]] = record
        return list(found.values())

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Add records, on the disk when this returns."""
        text = "".join(canonical(record) + "\n" for record in records).encode()
        with open(self.path / _RECORDS, "ab") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def mend(self) -> None:
        """Drop a last line that was cut off."""
        file = self.path / _RECORDS
        if file.exists():
            content = file.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(file, whole)
