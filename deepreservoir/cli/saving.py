"""Writing results: what is at stake is checked before work starts, and told if it fails after."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from ..files import check_target, is_stream


def check_writable(path: Path, source: Path) -> None:
    """Raise an error before any work if a file cannot be written, or is the input file."""
    if path.resolve() == source.resolve():
        raise click.UsageError(f"{path} is an input and would be overwritten; name another file")
    folder = path.absolute().parent
    if is_stream(path):
        return
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise click.UsageError(
            f"{path.name} cannot be written: {folder} is not a writable folder; name another file"
        )
    try:
        check_target(path)
    except OSError as error:
        raise click.UsageError(
            f"{path} cannot be written: {reason_of(error)}; name another file"
        ) from None


def check_folder(folder: Path) -> None:
    """Raise an error before any work if files cannot be written to a folder, which may be new."""
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{existing} is not a folder")
        if not os.access(existing, os.W_OK):
            raise PermissionError(errno.EACCES, f"{existing} is not writable")
        check_target(existing / "results")
    except OSError as error:
        raise click.ClickException(
            f"--out {folder} cannot be written to: {reason_of(error)}; name another folder"
        ) from None


def reason_of(error: OSError) -> str:
    """Return why something could not be written."""
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:] if reason[1:2].islower() else reason


def save(write: Callable[[Path], object], path: Path, what: str) -> click.ClickException | None:
    """Write a file or a folder; if that fails, write it to a folder for temporary files.

    Nothing is raised, so that the caller can first print what was found.

    Parameters
    ----------
    write : callable
        Writes to the path that it is given.
    path : Path
    what : str
        What is written, for the message: "the model".

    Returns
    -------
    ClickException or None
        The error to raise after printing, if `path` could not be written.
    """
    try:
        write(path)
    except OSError as error:
        # The error may name a file within the folder `path`.
        problem = f"{error.filename or path} could not be written: {reason_of(error)}"
        elsewhere = _elsewhere(write, path.name)
        verb = "are" if what.endswith("s") else "is"
        if elsewhere is None:
            return click.ClickException(f"{problem}; {what} {verb} lost")
        return click.ClickException(f"{problem}; {what} {verb} in {elsewhere} instead")
    return None


def save_model(
    model: Any, write: Callable[[Path], object], path: Path, lines: Iterable[str]
) -> None:
    """Save a fitted model, and print what was found, its parameters and the size of its file.

    Parameters
    ----------
    model : estimator
    write : callable
        Writes the model to the path that it is given.
    path : Path
    lines : iterable of str
        What was found, such as the score.

    Raises
    ------
    ClickException
        After printing, if `path` could not be written.
    """
    # Save before printing: a closed pipe must not lose the model.
    failure = save(write, path, "the model")
    for line in lines:
        click.echo(line)
    click.echo(
        f"{model.n_trained_params_:,} parameters trained in {model.n_iter_} epochs, "
        f"{model.n_scaffold_params_:,} frozen"
    )
    if failure is not None:
        raise failure
    click.echo(f"Wrote {path}, {path.stat().st_size:,} bytes")


def _elsewhere(write: Callable[[Path], object], name: str) -> Path | None:
    """Write to a new folder among the temporary files of the system; return the path, or None."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="deepreservoir-"))
    except OSError:
        return None
    path = folder / name
    try:
        write(path)
    except OSError:
        for file in [*folder.rglob("*"), folder][::-1]:
            with contextlib.suppress(OSError):
                file.rmdir() if file.is_dir() else file.unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()
        return None
    return path
