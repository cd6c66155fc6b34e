"""Where IDX files are searched for, in which order, and what a download leaves behind."""

import gzip
import http.server
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pooch
import pytest
from idx_tools import Publisher, empty_cache, publisher

from deepreservoir.datasets import DatasetUnavailable
from deepreservoir.datasets.idx import ENVIRONMENT, load_idx

RETRIEVE = pooch.retrieve  # the real one, before an empty cache takes it away


@pytest.fixture
def cache(tmp_path, monkeypatch):
    return empty_cache(tmp_path / "cache", monkeypatch)


def assert_loads(expected: Publisher) -> None:
    for found, array in zip(load_idx(expected.source), expected.arrays, strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, array)


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def served(cache, monkeypatch):
    """Replace pooch.retrieve by a fake that writes files; return the list of downloads."""
    asked = []

    def arrange(answers):
        def retrieve(url, known_hash, fname, path, **options):
            asked.append(url)
            Path(path).mkdir(parents=True, exist_ok=True)
            target = Path(path) / fname
            target.write_bytes(answers(url.rsplit("/", 1)[1]))
            return str(target)

        monkeypatch.setattr(pooch, "retrieve", retrieve)
        return asked

    return arrange


# Found -----------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["tiny", "tiny-too"])
def test_files_in_the_cache_are_read_from_either_folder_name(cache, folder):
    tiny = publisher()
    tiny.put(cache, folder)
    assert_loads(tiny)


@pytest.mark.parametrize("folder", ["tiny", "tiny-too"])
def test_files_in_the_users_folder_are_read_from_either_folder_name(
    cache, tmp_path, monkeypatch, folder
):
    tiny = publisher()
    tiny.put(tmp_path / "mine", folder)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "mine"))
    assert_loads(tiny)
    assert not cache.exists()  # what a user holds is not copied


def test_the_users_folder_comes_before_the_cache(cache, tmp_path, monkeypatch):
    tiny, other = publisher(), publisher(seed=1)
    tiny.put(tmp_path / "mine")
    other.put(cache)  # would fail its hash if it were read
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "mine"))
    assert_loads(tiny)


def test_a_damaged_file_in_the_users_folder_is_reported_and_not_skipped(
    cache, tmp_path, monkeypatch
):
    tiny, other = publisher(), publisher(seed=1)
    tiny.put(cache)
    other.put(tmp_path / "mine")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "mine"))
    with pytest.raises(DatasetUnavailable) as caught:
        load_idx(tiny.source)
    assert str(tmp_path / "mine" / "tiny" / tiny.file.name) in str(caught.value)


def test_each_file_is_searched_for_separately(cache, tmp_path, monkeypatch):
    tiny = publisher()
    tiny.put(tmp_path / "mine")
    tiny.put(cache)
    (tmp_path / "mine" / "tiny" / tiny.source.test_labels.name).unlink()
    for name in tiny.contents:
        if name != tiny.source.test_labels.name:
            (cache / "tiny" / name).unlink()
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "mine"))
    assert_loads(tiny)


@pytest.mark.parametrize("value", ["", "nowhere"])
def test_the_cache_is_used_if_the_users_folder_is_empty_or_missing(
    cache, tmp_path, monkeypatch, value
):
    tiny = publisher()
    tiny.put(cache)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / value) if value else "")
    assert_loads(tiny)


# Downloaded ------------------------------------------------------------------


def test_missing_files_are_downloaded_once_and_kept(cache, served):
    tiny = publisher()
    asked = served(lambda name: gzip.compress(tiny.contents[name]))
    assert_loads(tiny)
    assert asked == [tiny.source.url + name for name in tiny.contents]
    assert files_below(cache) == sorted(f"tiny/{name}" for name in tiny.contents)
    assert_loads(tiny)
    assert len(asked) == 4


def test_only_missing_files_are_downloaded(cache, served):
    tiny = publisher()
    tiny.put(cache)
    missing = tiny.source.train_labels.name
    (cache / "tiny" / missing).unlink()
    asked = served(lambda name: gzip.compress(tiny.contents[name]))
    assert_loads(tiny)
    assert asked == [tiny.source.url + missing]


def test_without_network_the_error_names_the_file_and_every_location(cache, tmp_path, monkeypatch):
    tiny = publisher()
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "mine"))
    with pytest.raises(DatasetUnavailable) as caught:
        load_idx(tiny.source)
    message = str(caught.value)
    assert "a download was attempted" in message
    assert tiny.source.url + tiny.file.name in message
    assert ENVIRONMENT in message
    for root in (tmp_path / "mine", cache):
        for folder in tiny.source.folders:
            assert str(root / folder / tiny.file.name) in message


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda tiny: gzip.compress(tiny.content()[:-1] + b"?"), id="other content"),
        pytest.param(lambda tiny: gzip.compress(tiny.content())[:-9], id="cut short"),
        pytest.param(lambda tiny: b"<html>404</html>", id="no gzip"),
        pytest.param(lambda tiny: b"", id="empty"),
    ],
)
def test_a_download_with_wrong_content_is_refused_and_leaves_nothing(cache, served, answer):
    tiny = publisher()
    served(lambda name: answer(tiny))
    with pytest.raises(DatasetUnavailable, match="could not be downloaded"):
        load_idx(tiny.source)
    assert files_below(cache) == []


@pytest.mark.parametrize(
    ("stop", "raised"),
    [
        (ConnectionError("unplugged"), DatasetUnavailable),
        (OSError(28, "No space left on device"), DatasetUnavailable),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["no network", "no space", "Ctrl-C"],
)
def test_an_interrupted_download_leaves_nothing(cache, monkeypatch, stop, raised):
    def retrieve(url, known_hash, fname, path, **options):
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / fname).write_bytes(b"half of")
        raise stop

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(raised):
        load_idx(publisher().source)
    assert files_below(cache) == []


def test_files_downloaded_before_one_that_fails_are_kept(cache, served):
    tiny = publisher()
    first, second = list(tiny.contents)[:2]

    def answers(name):
        if name == second:
            raise ConnectionError
        return gzip.compress(tiny.contents[name])

    served(answers)
    with pytest.raises(DatasetUnavailable, match=second):
        load_idx(tiny.source)
    assert files_below(cache) == [f"tiny/{first}"]


# Through pooch and a socket --------------------------------------------------


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def address(tmp_path, cache, monkeypatch):
    """Serve a folder over HTTP on localhost; return (folder, URL)."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(pooch, "retrieve", RETRIEVE)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_real_download_is_checked_and_kept(cache, address):
    folder, url = address
    tiny = publisher(url=url + "tiny/")
    tiny.put(folder)
    assert_loads(tiny)
    assert files_below(cache) == sorted(f"tiny/{name}" for name in tiny.contents)


def test_threads_may_download_at_the_same_time(cache, address):
    folder, url = address
    tiny = publisher(url=url + "tiny/")
    tiny.put(folder)
    together = threading.Barrier(4)

    def load(_):
        together.wait()
        return load_idx(tiny.source)

    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(load, range(4)):
            for part, array in zip(found, tiny.arrays, strict=True):
                np.testing.assert_array_equal(part, array)
    assert files_below(cache) == sorted(f"tiny/{name}" for name in tiny.contents)


def test_a_download_refused_by_the_server_leaves_nothing(cache, address):
    _, url = address
    with pytest.raises(DatasetUnavailable, match="404"):
        load_idx(publisher(url=url).source)
    assert files_below(cache) == []
