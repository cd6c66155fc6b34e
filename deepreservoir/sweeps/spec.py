"""The declaration of a sweep: a TOML file with a data set, a grid, seeds and a protocol."""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..checks import check_choice
from ..datasets import DATASETS
from ..datasets.learning_table import TableOptions
from ..estimators import DeepReservoirClassifier, estimator_named
from ..experiments import Protocol, protocol_for
from ..experiments.comparisons.arms import AFTERWARDS, ALL_ARMS
from ..experiments.comparisons.runner import checked_seeds
from ..scaffold import FAMILIES
from .plain_data import canonical, check_known, frozen, grid_value, plain, protocol_value
from .published import Published, read_published

#: A point of the grid: pairs of a parameter and its value, in the order of the file.
Point = tuple[tuple[str, Any], ...]

#: Parameters whose values may be paths of files, which then decide what a run finds.
_FILES = ("backbone",)

# Parameters that the sweep sets itself.
_RESERVED = frozenset(
    ("random_state", "scaffold_seed", "device", "verbose", "warm_start", "projection_cache")
)
_KEYS = (
    "dataset",
    "target",
    "estimator",
    "seeds",
    "arms",
    "protocol",
    "grid",
    "controls",
    "published",
    "table",
)


@dataclass(frozen=True)
class Sweep:
    """All combinations of a grid's values on several seeds, with their controls.

    Attributes
    ----------
    name : str
        Name of the file, without its suffix.
    dataset : str
        Name of a data set, or path of a CSV file.
    target : str or None
        Column to predict, for a CSV file.
    data_digest : str or None
        SHA-256 of the CSV file.
    seeds : tuple of int
    protocol : Protocol
        Architecture and training parameters of all networks; the grid overrides them.
    grid : tuple of (str, tuple)
        Parameters of the estimator, and the values of each.
    published : Published or None
        Published figures to compare the results with.
    estimator : str or None
        Class of the estimators: a registered name, or ``"package.module:Class"`` of an installed
        package, which must also be installed on the workers. None for that which reads the
        samples of the data set.
    arms : tuple of str
        Arms that are run; empty for all.
    controls : tuple of (str, tuple)
        Values of the grid at which the controls of an adapter, "no_scaffold" and "equal_bytes", are
        run; a parameter that is not listed is not restricted.
    files : tuple of (str, str or None)
        Files that parameters name, such as a backbone, and the SHA-256 of each; None for a file
        that did not exist when the declaration was read.
    table : tuple of (str, object)
        How a CSV file is read: options of :func:`deepreservoir.datasets.read_table`.

    Examples
    --------
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep
    >>> grid = (("rank", (4, 8)), ("scaffold", ("normal", "binary")))
    >>> sweep = Sweep("families", "digits", None, None, (0, 1), Protocol(), grid)
    >>> next(sweep.points()), len(list(sweep.points()))
    ((('rank', 4), ('scaffold', 'normal')), 4)
    """

    name: str
    dataset: str
    target: str | None
    data_digest: str | None
    seeds: tuple[int, ...]
    protocol: Protocol
    grid: tuple[tuple[str, tuple[Any, ...]], ...]
    published: Published | None = None
    estimator: str | None = None
    arms: tuple[str, ...] = ()
    controls: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    files: tuple[tuple[str, str | None], ...] = ()
    table: tuple[tuple[str, Any], ...] = ()

    @property
    def estimator_class(self) -> Any:
        """The class that `estimator` names; for None, DeepReservoirClassifier."""
        return (
            DeepReservoirClassifier if self.estimator is None else estimator_named(self.estimator)
        )

    def points(self) -> Iterator[Point]:
        """Yield all combinations of the grid's values; the last parameter changes fastest."""
        names = [name for name, _ in self.grid]
        for values in itertools.product(*(values for _, values in self.grid)):
            yield tuple(zip(names, values, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as plain data, which is sent to workers."""
        data = asdict(self) | {"protocol": self.protocol.to_plain()}
        # Leaving them out keeps the digests of sweeps without them.
        for name in ("estimator", "arms", "controls", "files", "table"):
            if not data[name]:
                del data[name]
        return plain(data)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Sweep:
        """Return a sweep from the plain data of :meth:`to_dict`."""
        published = data["published"]
        return Sweep(
            data["name"],
            data["dataset"],
            data["target"],
            data["data_digest"],
            tuple(data["seeds"]),
            Protocol(**{name: frozen(value) for name, value in data["protocol"].items()}),
            _pairs(data["grid"]),
            None if published is None else Published.from_dict(published),
            data.get("estimator"),
            tuple(data.get("arms", ())),
            _pairs(data.get("controls", ())),
            tuple((path, digest) for path, digest in data.get("files", ())),
            tuple((name, frozen(value)) for name, value in data.get("table", ())),
        )

    def digest(self) -> str:
        """Return the SHA-256 of everything that determines the runs.

        The name, the path of a CSV file and the published figures do not affect it.
        """
        dataset = Path(self.dataset).name if self.data_digest is None else ""
        decisive = replace(self, name="", published=None, dataset=dataset)
        return hashlib.sha256(canonical(decisive.to_dict()).encode()).hexdigest()


def _pairs(values: Any) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    return tuple((name, tuple(map(frozen, each))) for name, each in values)


def read_sweep(path: str | Path) -> Sweep:
    """Read the declaration of a sweep.

    Parameters
    ----------
    path : str or path
        A TOML file with the keys ``dataset`` (a name, or a CSV file relative to the TOML file),
        ``target`` (a column of the CSV file), ``estimator`` (a registered name, or
        ``"package.module:Class"``), ``seeds`` (a number, or a list), ``arms`` (a list of the arms
        that are run, by default all), and the tables
        ``[protocol]`` (parameters of the estimators, and ``validation``; see
        :class:`deepreservoir.experiments.Protocol`), ``[grid]`` (parameters of the estimators,
        each with a list of values; ``scaffold = "all"`` stands for all families), ``[controls]``
        (values of the grid at which the controls of an adapter are run), ``[published]``
        (published figures) and ``[table]`` (how a CSV file is read: ``columns``, ``drop``,
        ``task``, ``missing``, ``header``, ``delimiter`` and ``encoding``, as in
        :func:`deepreservoir.datasets.read_table`).

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        If a key or a value is unknown or out of range; the message names it and the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "ranks.toml")
    ...     _ = file.write_text('dataset = "digits"\\nseeds = 2\\n[grid]\\nrank = [1, 2, 4]')
    ...     sweep = read_sweep(file)
    >>> len(list(sweep.points())), sweep.seeds
    (3, (0, 1))
    """
    path = Path(path)
    try:
        # TOML is UTF-8; some editors begin such a file with a byte order mark.
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from None
    try:
        return _sweep(document, path)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _sweep(document: dict[str, Any], path: Path) -> Sweep:
    check_known("", document, _KEYS)
    dataset = document.get("dataset", "digits")
    target, digest = document.get("target"), None
    if not isinstance(dataset, str):
        raise ValueError(f"dataset must be a name or a CSV file; got {dataset!r}")
    if dataset not in DATASETS:
        file = (path.parent / dataset).resolve()
        if not file.is_file():
            raise ValueError(
                f"dataset must be one of {', '.join(DATASETS)} or a CSV file; {file} does not exist"
            )
        if not isinstance(target, str):
            raise ValueError(f"a CSV file needs target = COLUMN; got {target!r}")
        dataset, digest = str(file), hashlib.sha256(file.read_bytes()).hexdigest()
    elif target is not None or "table" in document:
        given = "[table]" if target is None else "target"
        raise ValueError(f"{given} is for CSV files; {dataset} has its own columns")
    seeds = document.get("seeds", 3)
    if isinstance(seeds, list) and len(set(map(repr, seeds))) < len(seeds):
        raise ValueError(f"seeds has duplicate values; got {seeds!r}")
    estimator = document.get("estimator")
    if estimator is not None and not isinstance(estimator, str):
        raise ValueError(f"estimator must be a name; got {estimator!r}")
    kind = DeepReservoirClassifier if estimator is None else estimator_named(estimator)
    parameters = frozenset(kind().get_params(deep=False)) - _RESERVED
    grid = _grid(table(document, "grid"), parameters)
    protocol = _protocol(table(document, "protocol"), protocol_for(dataset), parameters)
    return Sweep(
        path.stem,
        dataset,
        target,
        digest,
        checked_seeds(tuple(seeds) if isinstance(seeds, list) else seeds),
        protocol,
        grid,
        read_published(document["published"]) if "published" in document else None,
        estimator,
        _arms(document.get("arms", []), "arms" in document),
        _controls(table(document, "controls"), dict(grid)),
        _files(protocol, dict(grid)),
        _table_options(table(document, "table")),
    )


def _table_options(values: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return how a CSV file is read: pairs of an option and its value."""
    check_known("table", values, frozenset(each.name for each in fields(TableOptions)))
    for name, value in values.items():
        lists, kind = name in ("columns", "drop"), bool if name == "header" else str
        parts = value if lists and isinstance(value, list) else [value]
        if lists != isinstance(value, list) or not all(type(part) is kind for part in parts):
            expected = "a list of names" if lists else {bool: "true or false", str: "text"}[kind]
            raise ValueError(f"{name} in [table] must be {expected}; got {value!r}")
    options = {name: frozen(value) for name, value in values.items()}
    TableOptions(**options).check()
    return tuple(options.items())


def _files(
    protocol: Protocol, grid: Mapping[str, tuple[Any, ...]]
) -> tuple[tuple[str, str | None], ...]:
    """Return the files that the protocol and the grid name, with their SHA-256."""
    others = dict(protocol.others)
    values = [value for name in _FILES for value in (others.get(name), *grid.get(name, ()))]
    paths = dict.fromkeys(value for value in values if isinstance(value, str))
    return tuple((path, file_digest(path)) for path in paths)


def file_digest(path: str) -> str | None:
    """Return the SHA-256 of a file, or None if there is none at this path."""
    file = Path(path)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def _arms(names: Any, given: bool) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"arms must be a list of names; got {names!r}")
    for name in names:
        check_choice("arms", name, (arm for arm in ALL_ARMS if arm not in AFTERWARDS))
    if len(set(names)) < len(names) or (given and not names):
        raise ValueError(f"arms must be one or more different names; got {names!r}")
    return tuple(names)


def _controls(
    lists: dict[str, Any], grid: Mapping[str, tuple[Any, ...]]
) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    check_known("controls", lists, frozenset(grid))
    pairs = []
    for name, values in lists.items():
        chosen = tuple(grid_value(name, v) for v in values) if isinstance(values, list) else ()
        if not chosen or not set(chosen) <= set(grid[name]):
            raise ValueError(
                f"{name} in [controls] must be a list of values of the grid, "
                f"{list(grid[name])}; got {values!r}"
            )
        pairs.append((name, chosen))
    return tuple(pairs)


def table(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a table of the document, by default an empty one, or raise a ValueError."""
    value = document.get(name, {})
    if not isinstance(value, dict):
        raise ValueError(f"[{name}] must be a table; got {value!r}")
    return value


def _protocol(values: dict[str, Any], default: Protocol, parameters: frozenset[str]) -> Protocol:
    # `validation` alone controls early stopping.
    known = (parameters | {"validation"}) - {"early_stopping", "n_iter_no_change", "tol"}
    check_known("protocol", values, known)
    if not isinstance(values.get("validation", False), bool):
        raise ValueError(
            f"validation in [protocol] must be true or false; got {values['validation']!r}"
        )
    return default.changed(**{name: protocol_value(name, value) for name, value in values.items()})


def _grid(
    lists: dict[str, Any], parameters: frozenset[str]
) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    if not lists:
        raise ValueError("[grid] must have at least one parameter, such as rank = [1, 2, 4]")
    check_known("grid", lists, parameters)
    grid = []
    for name, values in lists.items():
        if (name, values) == ("scaffold", "all"):
            values = [name for name, family in FAMILIES.items() if family.random]
        if not isinstance(values, list) or not values:
            raise ValueError(f"{name} in [grid] must be a list of values; got {values!r}")
        grid_values = tuple(grid_value(name, value) for value in values)
        if len(set(grid_values)) < len(grid_values):
            raise ValueError(f"{name} in [grid] has duplicate values; got {values!r}")
        grid.append((name, grid_values))
    return tuple(grid)
