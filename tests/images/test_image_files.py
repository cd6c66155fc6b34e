"""Images in files: decoding, sizes, colours, broken files, memory."""

import pickle

import numpy as np
import pytest
from PIL import Image

from deepreservoir import ImageFiles, image_folder
from deepreservoir.inputs import image_files
from tests.images.image_tools import random_images, write_folder, write_png


@pytest.fixture
def images():
    return random_images()


@pytest.fixture
def paths(tmp_path, images):
    return [write_png(tmp_path / f"{i}.png", image) for i, image in enumerate(images)]


def test_files_have_the_pixels_that_were_written(paths, images):
    files = ImageFiles(paths)
    assert files.shape == images.shape
    assert (files.rows(np.array([3, 0, 3])) == images[[3, 0, 3]]).all()
    assert (np.asarray(files) == images).all()
    mask = np.arange(len(paths)) % 2 == 0
    assert (np.asarray(files[mask]) == images[mask]).all()
    assert (np.asarray(pickle.loads(pickle.dumps(files))) == images).all()


def test_decoded_images_are_kept_within_the_limit_only(paths, images, monkeypatch):
    decoded = []
    original = image_files._pixels

    def counted(path, size, channels):
        decoded.append(path)
        return original(path, size, channels)

    monkeypatch.setattr(image_files, "_pixels", counted)
    for limit, expected in ((images.nbytes, 1), (images.nbytes - 1, 3)):
        decoded.clear()
        files = ImageFiles(paths, cache_bytes=limit)
        for _ in range(3):
            files.rows(np.arange(len(paths)))
        assert len(decoded) == expected * len(paths)
        if limit < images.nbytes:
            assert files._decoded is None


def test_grey_files_have_one_channel_and_mixed_ones_three(tmp_path):
    grey = write_png(tmp_path / "grey.png", random_images(1, channels=1)[0])
    colour = write_png(tmp_path / "colour.png", random_images(1)[0])
    assert ImageFiles([grey, grey]).shape[3] == 1
    both = ImageFiles([grey, colour])
    assert both.shape[3] == 3
    first = np.asarray(both)[0]
    assert (first == first[:, :, :1]).all()


@pytest.mark.parametrize(
    ("values", "expected"), [([0.0, 0.5, 1.0], [0, 127, 255]), ([0.0, 7.0, 200.0], [0, 7, 200])]
)
def test_shares_of_white_are_scaled_and_other_numbers_are_not(tmp_path, values, expected):
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([values], np.float32)).save(path)
    assert np.asarray(ImageFiles([path])).reshape(-1).tolist() == expected


def test_16_bit_grey_is_scaled_to_bytes(tmp_path):
    values = np.array([[0, 256, 65535]], np.uint16)
    dark = np.array([[0, 100, 255]], np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    Image.fromarray(dark).save(tmp_path / "dark.png")
    files = ImageFiles([tmp_path / "x.png", tmp_path / "dark.png"])
    assert np.asarray(files).reshape(2, 3).tolist() == [[0, 1, 255], [0, 0, 0]]


@pytest.mark.parametrize("exif", [{}, {0x0112: 3}])  # the latter is turned by half a turn
def test_16_bit_grey_of_either_byte_order_is_read_alike(tmp_path, exif):
    values = np.array([[0, 256, 65535]], np.uint16)
    paths = [tmp_path / "little.tif", tmp_path / "big.tif", tmp_path / "x.pgm"]
    Image.fromarray(values).save(paths[0], tiffinfo=exif)
    big = Image.frombytes("I;16B", (3, 1), values.astype(">u2").tobytes())
    big.save(paths[1], tiffinfo=exif)
    shown = values[:, ::-1] if exif else values
    paths[2].write_bytes(b"P5 3 1 65535 " + shown.astype(">u2").tobytes())
    with Image.open(paths[1]) as image:
        assert image.mode == "I;16B"
    files = ImageFiles(paths)
    assert files.shape == (3, 1, 3, 1)
    assert np.asarray(files).reshape(3, 3).tolist() == 3 * [(shown[0] // 256).tolist()]
    assert np.asarray(files.with_channels(3))[..., 1].tolist() == 3 * [(shown // 256).tolist()]


@pytest.mark.parametrize(
    ("dtype", "values", "words"),
    [
        ("f4", [0.0, 300.0], "from 0 to 1, or from 0 to 255; got .* 0 and a maximum of 300"),
        ("f4", [-0.5, 0.5], "from 0 to 1, or from 0 to 255; got a minimum of -0.5"),
        ("f4", [np.nan, 0.5], "from 0 to 1, or from 0 to 255; got a minimum of nan"),
        ("f4", [0.0, np.inf], "from 0 to 1, or from 0 to 255; got .* maximum of inf"),
        ("i4", [0, 65536], "from 0 to 65535; got .* maximum of 65536"),
        ("i4", [-1, 5], "from 0 to 65535; got a minimum of -1"),
    ],
)
def test_values_out_of_range_are_refused_with_the_file(tmp_path, dtype, values, words):
    Image.fromarray(np.array([values], dtype)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=rf"a\.tif must have values {words}.*Scale"):
        np.asarray(ImageFiles([tmp_path / "a.tif"]))


def test_images_are_turned_as_their_exif_data_says(tmp_path):
    image = Image.fromarray(random_images(1, height=8, width=6)[0])
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    image.save(tmp_path / "x.png", exif=exif)
    files = ImageFiles([tmp_path / "x.png"])
    assert files.shape == (1, 6, 8, 3)
    expected = np.rot90(np.asarray(image), -1)
    assert (np.asarray(files)[0] == expected).all()


def test_image_size_resizes(tmp_path):
    sizes = ((8, 6), (5, 9))
    paths = [
        write_png(tmp_path / f"{i}.png", random_images(1, *size)[0]) for i, size in enumerate(sizes)
    ]
    with pytest.raises(ValueError, match=r"image_size=\(height, width\).*0\.png is 8 x 6.*1\.png"):
        ImageFiles(paths)
    assert ImageFiles(paths, image_size=(4, 4)).shape == (2, 4, 4, 3)


@pytest.mark.parametrize("size", [(0, 4), (4,), 4, "ab", (4.0, 4)])
def test_an_image_size_must_be_two_positive_integers(paths, size):
    with pytest.raises(ValueError, match="image_size must be"):
        ImageFiles(paths, image_size=size)


def test_files_that_are_no_images_are_named(tmp_path, paths):
    text = tmp_path / "text.png"
    text.write_text("no image")
    with pytest.raises(ValueError, match=r"text\.png is not an image"):
        ImageFiles([*paths, text])
    with pytest.raises(ValueError, match=r"there is no file .*absent\.png"):
        ImageFiles([*paths, tmp_path / "absent.png"])
    with pytest.raises(ValueError, match="at least one file"):
        ImageFiles([])


def test_a_single_path_is_refused(paths):
    for single in (paths[0], str(paths[0])):
        with pytest.raises(
            TypeError, match=r"must be a list of paths; .*0\.png'\. Pass it in a list"
        ):
            ImageFiles(single)


def test_a_file_that_asks_for_too_many_pixels_is_refused(paths, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_PIXELS", 47)
    with pytest.raises(ValueError, match="8 x 6 pixels; at most 47"):
        ImageFiles(paths)


def test_a_truncated_file_is_named_when_it_is_decoded(tmp_path):
    whole = write_png(tmp_path / "x.png", random_images(1, 64, 64)[0]).read_bytes()
    (tmp_path / "x.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"x\.png is broken.*skip_broken=True"):
        ImageFiles([tmp_path / "x.png"]).rows(np.array([0]))


def test_a_folder_has_one_class_per_subfolder(tmp_path, images):
    write_folder(tmp_path, images)
    (tmp_path / "notes.txt").write_text("left alone")
    (tmp_path / "empty").mkdir()
    X, y = image_folder(tmp_path)
    assert y.tolist() == ["a"] * 6 + ["b"] * 6
    assert (np.asarray(X) == np.concatenate([images[::2], images[1::2]])).all()


def test_hidden_files_and_folders_are_left_out(tmp_path, images):
    write_folder(tmp_path, images)
    write_png(tmp_path / "a" / "._0.png", images[0])
    (tmp_path / "a" / ".ipynb_checkpoints").mkdir()
    write_png(tmp_path / "a" / ".ipynb_checkpoints" / "0-checkpoint.png", images[0])
    (tmp_path / "a" / "folder.png").mkdir()
    (tmp_path / "a" / "more").mkdir()
    write_png(tmp_path / "a" / "more" / "0.png", images[0])
    X, y = image_folder(tmp_path)
    assert y.tolist() == ["a"] * 7 + ["b"] * 6
    assert not any("/." in str(path.relative_to(tmp_path)) for path in X.paths)


def test_a_folder_below_a_hidden_one_is_read(tmp_path, images):
    root = tmp_path / ".cache" / "images"
    root.mkdir(parents=True)
    write_folder(root, images)
    assert len(image_folder(root)[0]) == 12


def test_broken_files_in_a_folder_are_skipped_only_if_asked(tmp_path, images):
    write_folder(tmp_path, images)
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    with pytest.raises(
        ValueError, match=r"broken\.jpg .*Remove the file, or .* with skip_broken=True"
    ):
        image_folder(tmp_path)
    with pytest.warns(UserWarning, match=r"left out 1 of 13 files.*broken\.jpg"):
        X, y = image_folder(tmp_path, skip_broken=True)
    assert len(X) == len(y) == 12


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        image_folder(tmp_path / "absent")
    with pytest.raises(ValueError, match="one subfolder of images per class"):
        image_folder(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_text("no image")
    with pytest.raises(ValueError, match="none of the 1 files"):
        image_folder(tmp_path, skip_broken=True)
