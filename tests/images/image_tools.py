"""Images and files for the tests."""

import numpy as np
from PIL import Image


def random_images(n=12, height=8, width=6, channels=3, seed=0):
    """Return random bytes of shape (n, height, width, channels)."""
    shape = (n, height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_png(path, pixels):
    """Write one image, grey if it has one channel, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)
    return path


def write_folder(root, images, classes=("a", "b")):
    """Write images in turn into one subfolder per class."""
    for i, image in enumerate(images):
        write_png(root / classes[i % len(classes)] / f"{i:03d}.png", image)
    return root
