"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.datasets import load_digits, make_friedman1

from .base import Dataset, split_dataset, standardised
from .cifar10 import cifar10, cifar10_5000
from .citations import cora, cora_60_20_20, planetoid
from .flowers import flowers12, flowers102
from .halfcheetah import halfcheetah, halfcheetah_expert
from .idx import FASHION_MNIST, MNIST, IdxSource, load_idx
from .imdb import imdb, imdb_5000, imdb_text
from .molecules import molhiv, molhiv_8000
from .ogb import arxiv
from .physionet2012 import physionet2012, physionet2012_minutes
from .wikitext import wikitext, wikitext_validation


def _digits() -> Dataset:
    images, labels = load_digits(return_X_y=True)
    split = split_dataset("digits", images.astype(np.float32) / 16, labels, "classification")
    # One mean and deviation for all pixels, so that the almost constant corners stay small.
    mean, spread = split.X_train.mean(), split.X_train.std()
    return Dataset(
        "digits",
        (split.X_train - mean) / spread,
        split.y_train,
        (split.X_test - mean) / spread,
        split.y_test,
        image_shape=(8, 8),
    )


def _friedman1() -> Dataset:
    X, y = make_friedman1(2000, n_features=10, noise=1.0, random_state=0)
    split = split_dataset("friedman1", X, y, "regression")
    X_train, X_test = standardised(split.X_train, split.X_test)
    return replace(split, X_train=X_train, X_test=X_test)


def _idx(source: IdxSource, mean: float, spread: float) -> Callable[[], Dataset]:
    def load() -> Dataset:
        train, y_train, test, y_test = load_idx(source)
        X_train, X_test = (
            ((images.reshape(len(images), -1) / np.float32(255)) - np.float32(mean))
            / np.float32(spread)
            for images in (train, test)
        )
        return Dataset(
            source.name,
            X_train,
            y_train.astype(int),
            X_test,
            y_test.astype(int),
            image_shape=(28, 28),
        )

    return load


_LOADERS: dict[str, Callable[[], Dataset]] = {
    "digits": _digits,
    "friedman1": _friedman1,
    "mnist": _idx(MNIST, 0.1307, 0.3081),
    "fashion_mnist": _idx(FASHION_MNIST, 0.2860, 0.3530),
    "physionet2012": physionet2012,
    "physionet2012_minutes": physionet2012_minutes,
    "cora": cora,
    "cora_60_20_20": cora_60_20_20,
    "citeseer": partial(planetoid, "citeseer"),
    "pubmed": partial(planetoid, "pubmed"),
    "arxiv": arxiv,
    "molhiv": molhiv,
    "molhiv_8000": molhiv_8000,
    "cifar10": cifar10,
    "cifar10_5000": cifar10_5000,
    "flowers12": flowers12,
    "flowers12_64": partial(flowers12, 64),
    "flowers102": flowers102,
    "imdb": imdb,
    "imdb_5000": imdb_5000,
    "imdb_text": imdb_text,
    "halfcheetah": halfcheetah,
    "halfcheetah_expert": halfcheetah_expert,
    "wikitext2": partial(wikitext, "wikitext2"),
    "wikitext103": partial(wikitext, "wikitext103"),
    "wikitext_validation": wikitext_validation,
}

DATASETS = tuple(_LOADERS)


def load_dataset(name: str) -> Dataset:
    """Load a data set by name, scaled and split.

    Parameters
    ----------
    name : {"digits", "friedman1", "mnist", "fashion_mnist", "physionet2012", \
"physionet2012_minutes", "cora", "cora_60_20_20", "citeseer", "pubmed", \
"arxiv", "molhiv", "molhiv_8000", "cifar10", "cifar10_5000", "flowers12", "flowers12_64", \
"flowers102", "imdb", "imdb_5000", "imdb_text", "halfcheetah", "halfcheetah_expert", "wikitext2", \
"wikitext103", "wikitext_validation"}
        ``digits`` (1,797 images of 8 x 8) comes with scikit-learn, and ``friedman1`` (2,000 rows
        of the regression of Friedman [1]_ with 10 features, 5 of which matter, and noise of
        deviation 1) is drawn by it; a fifth is held out. The next two (60,000 + 10,000 images of
        28 x 28) are searched for in the folder named by the environment variable
        DEEPRESERVOIR_DATA and in the cache, and downloaded otherwise. Their content is checked
        against a pinned SHA-256. ``physionet2012`` (48 hours of 3,996 patients in intensive care,
        as hourly means, and who died) is searched for in the same places, but never downloaded;
        ``physionet2012_minutes`` has all distinct times. Their X are
        :class:`deepreservoir.IrregularSeries`. ``cora`` (2,708 papers, the words in
        them and the citations between them) is searched for in the same places, with the public
        split or with 60 % of the labels; its X are :class:`deepreservoir.Nodes`. ``molhiv`` (41,127
        molecules, of which 1,443 inhibit HIV) has the scaffold split of OGB, whole or with 8,000
        of the training molecules; its X are lists of :class:`deepreservoir.Graph`, and its score
        is the area under the ROC curve. ``citeseer`` and ``pubmed`` are read from the files of
        Planetoid (``planetoid/ind.citeseer.x`` and so on), ``arxiv`` from the CSV files of
        ogbn-arxiv (``ogbn_arxiv/raw/edge.csv.gz`` and so on), where they are on this machine.
        ``cifar10`` (50,000 + 10,000 colour images of 32 x 32) is read from the published binary
        batches or from zip files of JPEG images; ``cifar10_5000`` has the first 500 + 200 of each
        class. ``flowers12`` (720 + 240 photographs of 12 species) is reduced to 32 pixels, or in
        ``flowers12_64`` to 64; ``flowers102`` is read from the published files, at 224 pixels.
        Their X are arrays of bytes, (n, height, width, 3), or :class:`deepreservoir.ImageFiles`.
        ``imdb`` (25,000 + 25,000 reviews of films, positive and negative) has lists of texts as X;
        ``imdb_5000`` has the first 5,000 of each part. Encoders read them with the word pieces of
        bert-base-uncased (``bert/vocab.txt``). ``imdb_text`` (5,000 training reviews, and 500
        others) is for language models; its score is minus nats per token. ``wikitext2`` and
        ``wikitext103`` (articles of Wikipedia) are read from the published files
        (``wikitext-103/wiki.train.tokens`` and so on), where they are on this machine;
        ``wikitext_validation`` trains on their validation text. ``halfcheetah`` (36 + 4
        trajectories of 1,000 steps of an expert in MuJoCo's HalfCheetah-v5) is for Decision
        Transformers, as is ``halfcheetah_expert``, which is read from D4RL's file
        (``d4rl/halfcheetah_expert-v2.hdf5``); their X are :class:`deepreservoir.Trajectories`,
        and their score is minus the mean squared error of the actions.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If there is no data set with that name.
    DatasetUnavailable
        If its files are missing and cannot be downloaded; the message says which file to put
        where.

    References
    ----------
    .. [1] J. H. Friedman, "Multivariate adaptive regression splines", The Annals of Statistics 19
       (1991), section 4.3.

    Examples
    --------
    >>> digits = load_dataset("digits")
    >>> digits.X_train.shape, digits.X_test.shape
    ((1437, 64), (360, 64))
    """
    if name not in _LOADERS:
        raise ValueError(f"dataset must be one of {', '.join(DATASETS)}; got {name!r}")
    return _LOADERS[name]()
