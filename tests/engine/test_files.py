"""Files that are written whole or not at all, with the permissions of any new file."""

import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import deepreservoir
from deepreservoir import files
from deepreservoir.files import check_target, temporary_folder, write_whole

pytestmark = pytest.mark.host(reason="files are the host's")


def umask_of(folder):
    """Return the umask, from the permissions of a file that the kernel makes."""
    probe = folder / "probe"
    os.close(os.open(probe, os.O_CREAT | os.O_WRONLY, 0o666))
    mode = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    return 0o666 & ~mode


def no_umask(*args):
    raise AssertionError("the umask of the whole process was changed")


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
def test_the_umask_of_the_process_is_left_alone(tmp_path, monkeypatch):
    from deepreservoir import DeepReservoirClassifier, export_peft, save
    from deepreservoir.experiments.comparisons.results import write_atomically

    umask = umask_of(tmp_path)
    model = DeepReservoirClassifier((4,), rank=1, max_iter=1, random_state=0)
    model.fit([[0.0], [1.0]] * 5, [0, 1] * 5)
    monkeypatch.setattr(os, "umask", no_umask)
    save(model, tmp_path / "model")
    write_atomically(tmp_path / "text", "x")
    write_whole(tmp_path / "bytes", b"x")
    for name in ("model", "text", "bytes"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask
    folder = export_peft(model, tmp_path / "peft")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask


def test_no_module_sets_the_umask_or_writes_temporary_files_of_its_own():
    package = Path(deepreservoir.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text()
        assert "os.umask" not in text, path
        assert "mkstemp" not in text, path
        if path.name != "files.py":
            assert "os.replace" not in text, path


@pytest.mark.parametrize("name", ["a" * 255, "\N{EARTH GLOBE AMERICAS}" * 63 + "abc"])
def test_the_longest_names_can_be_written(tmp_path, name):
    check_target(tmp_path / name)
    write_whole(tmp_path / name, b"new")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(temporary_folder(tmp_path / name).name) < 50


def test_a_temporary_name_that_is_taken_is_not_written_to(tmp_path, monkeypatch):
    (tmp_path / "other").write_text("other")
    (tmp_path / ".file.taken").symlink_to(tmp_path / "other")
    names = iter(["taken", "taken", "free"])
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: next(names))
    write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "other").read_text() == "other"
    assert (tmp_path / ".file.taken").is_symlink()


def test_names_that_are_all_taken_are_an_error(tmp_path, monkeypatch):
    (tmp_path / ".file.taken").write_text("other")
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: "taken")
    writers = [partial(write_whole, data=b"new"), temporary_folder]
    for write in writers:
        with pytest.raises(FileExistsError, match="cannot find a free name for a temporary file"):
            write(tmp_path / "file")
    assert (tmp_path / ".file.taken").read_text() == "other"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    (tmp_path / "file").write_text("old")

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as caught:
        write_whole(tmp_path / "file", b"new")
    assert caught.value.filename == str(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_the_first_error_is_raised_where_the_temporary_file_cannot_be_removed_either(
    tmp_path, monkeypatch
):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(*args):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_whole(tmp_path / "file", b"new")


# What is there already ----------------------------------------------------------------------------


def test_a_symbolic_link_stays_and_its_file_is_written(tmp_path):
    (tmp_path / "store").mkdir()
    link = tmp_path / "latest"
    link.symlink_to(Path("store", "file"))
    write_whole(link, b"first")  # the file is new
    assert (tmp_path / "store" / "file").read_bytes() == b"first"
    write_whole(link, b"second")
    assert link.is_symlink()
    assert (tmp_path / "store" / "file").read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir() if path.name != "store"] == ["latest"]


@pytest.mark.parametrize("write", [check_target, partial(write_whole, data=b"new")])
def test_a_symbolic_link_that_leads_to_itself_is_refused(tmp_path, write):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)) as caught:
        write(tmp_path / "one")
    assert caught.value.filename == str(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    assert (tmp_path / "one").is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
def test_a_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
@pytest.mark.parametrize("write", [partial(write_whole, data=b"new"), files.check_target])
def test_a_read_only_file_and_a_folder_are_refused(tmp_path, write):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="the file is read-only"):
        write(path)
    assert path.read_text() == "old"
    for folder in (tmp_path, Path(".")):
        with pytest.raises(IsADirectoryError):
            write(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_written_to_and_stays(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(path.read_bytes)
        files.check_target(path)
        write_whole(path, b"new")
        assert read.result(10) == b"new"
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="there is no /dev/stdout")
@pytest.mark.parametrize("to_file", [False, True])
def test_standard_output_is_written_to_and_stays(tmp_path, to_file):
    code = "from deepreservoir.files import *; check_target('/dev/stdout'); "
    code += "write_whole('/dev/stdout', b'new')"
    before = os.readlink("/dev/stdout")
    target = tmp_path / "out"
    with target.open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=stream if to_file else subprocess.PIPE, check=True
        )
    assert (target.read_bytes() if to_file else done.stdout) == b"new"
    assert os.readlink("/dev/stdout") == before
