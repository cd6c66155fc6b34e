"""Data sets of graphs: Cora, MolHIV, and files that users have."""

import csv
import gzip
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from deepreservoir import load_dataset
from deepreservoir.datasets import DatasetUnavailable, molecules, ogb, planetoid
from deepreservoir.datasets.molecules import read_smiles, scaffold_split
from deepreservoir.experiments import protocol_for

DATA = Path(os.environ.get("DEEPRESERVOIR_DATA", "/nowhere"))
HIV = DATA / "molhiv" / "HIV.csv.gz"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of data, and no cache."""
    monkeypatch.setenv("DEEPRESERVOIR_DATA", str(tmp_path))
    monkeypatch.setattr("deepreservoir.datasets.local_files.cache_folder", lambda: tmp_path / "c")
    return tmp_path


@pytest.mark.skipif(not (DATA / "planetoid" / "cora.npz").is_file(), reason="needs cora.npz")
def test_cora():
    public, larger = load_dataset("cora"), load_dataset("cora_60_20_20")
    assert (len(public.X_train), len(public.X_test), public.n_features) == (140, 1000, 1433)
    assert np.bincount(public.y_train).tolist() == [20] * 7
    assert (len(larger.X_train), len(larger.X_test)) == (1624, 542)
    assert not np.intersect1d(larger.X_train.index, larger.X_test.index).size
    assert public.X_train.adjacency.nnz == 10_556
    assert protocol_for("cora").batch_size == "auto"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cora", "ind.cora.x"),
        ("citeseer", "ind.citeseer.x"),
        ("arxiv", "raw/edge.csv.gz"),
        ("molhiv", "molhiv_graphs.npz"),
    ],
)
def test_missing_files_are_named(folder, name, file):
    with pytest.raises(DatasetUnavailable, match=rf"{name} is not on this machine.*{file}"):
        load_dataset(name)


@pytest.mark.parametrize(
    ("name", "path"), [("cora", "planetoid/cora.npz"), ("molhiv", "molhiv/molhiv_graphs.npz")]
)
def test_other_bytes_are_refused(folder, name, path):
    (folder / path).parent.mkdir()
    (folder / path).write_bytes(b"something else")
    with pytest.raises(DatasetUnavailable, match=r"not contain the published data.*SHA-256"):
        load_dataset(name)


# Molecules ------------------------------------------------------------


def test_the_features_of_ethanol_and_others():
    pytest.importorskip("rdkit")
    ethanol, ion, alkene = read_smiles(["CCO", "[Na+].[Cl-]", "C/C=C/C"])
    assert ethanol.x.tolist() == [
        [5, 0, 4, 5, 3, 0, 2, 0, 0],
        [5, 0, 4, 5, 2, 0, 2, 0, 0],
        [7, 0, 2, 5, 1, 0, 2, 0, 0],
    ]
    assert ethanol.edges.tolist() == [[0, 1, 1, 2], [1, 2, 0, 1]]
    assert ethanol.edge_attr.tolist() == [[0, 0, 0]] * 4
    assert (ion.n_nodes, ion.n_edges, ion.edge_attr.shape) == (2, 0, (0, 3))
    assert ion.x[:, 3].tolist() == [6, 4]
    assert alkene.edge_attr[1].tolist() == [1, 2, 0]


@pytest.mark.parametrize("text", ["CC(", "", None, "C1CC"])
def test_a_molecule_that_cannot_be_read_is_named_by_its_row(text):
    pytest.importorskip("rdkit")
    with pytest.raises(ValueError, match="row 2 must be the SMILES of a molecule"):
        read_smiles(["CC", "O", text])


def test_one_string_is_not_several_molecules():
    for function in (read_smiles, scaffold_split):
        with pytest.raises(ValueError, match="must be a list of SMILES; got one, 'CCO'"):
            function("CCO")


def test_scaffolds_stay_together():
    pytest.importorskip("rdkit")
    smiles = ["c1ccccc1" + "C" * k for k in range(8)] + ["C1CCCCC1C", "CCO"]
    split = scaffold_split(smiles)
    assert split["train"].tolist() == list(range(8))
    assert sorted(np.concatenate(list(split.values())).tolist()) == list(range(10))


@pytest.mark.skipif(not HIV.is_file(), reason="needs HIV.csv.gz and molhiv_graphs.npz")
def test_smiles_give_the_graphs_of_molhiv():
    pytest.importorskip("rdkit")
    graphs, y, split = molecules.molhiv_graphs()
    with gzip.open(HIV, "rt") as file:
        rows = list(csv.DictReader(file))
    chosen = np.random.default_rng(0).choice(len(graphs), 150, replace=False)
    for found, i in zip(read_smiles(rows[i]["smiles"] for i in chosen), chosen, strict=True):
        assert found == graphs[i]
    sizes = {name: (len(index), int(y[index].sum())) for name, index in split.items()}
    assert sizes == {"train": (32_901, 1_232), "valid": (4_113, 81), "test": (4_113, 130)}
    reduced = molecules.reduced_training(y, split["train"])
    assert (len(reduced), int(y[reduced].sum())) == (8_000, 1_232)
    counts = molecules.atom_counts(graphs[:2])
    assert counts.sum(axis=1).tolist() == [9 * graph.n_nodes for graph in graphs[:2]]


# Molecules that RDKit 2026.9.1 refuses for the valence of an atom; no other has their scaffolds.
UNREADABLE = (137, 987, 12_882, 18_293, 30_784, 30_785, 35_728)


def smiles_of_hiv():
    """Return the SMILES of MolHIV; unreadable ones are replaced by rings of unique sizes."""
    with gzip.open(HIV, "rt") as file:
        smiles = [row["smiles"] for row in csv.DictReader(file)]
    for size, row in enumerate(UNREADABLE, start=40):
        smiles[row] = "C1" + "C" * size + "1"
    return smiles


@pytest.mark.slow
@pytest.mark.skipif(not HIV.is_file(), reason="needs HIV.csv.gz and molhiv_graphs.npz")
def test_the_scaffold_split_is_the_official_one():
    pytest.importorskip("rdkit")
    _, _, official = molecules.molhiv_graphs()
    found = scaffold_split(smiles_of_hiv())
    assert list(found) == ["train", "valid", "test"]
    for name, rows in found.items():
        np.testing.assert_array_equal(rows, np.sort(official[name]))


@pytest.mark.skipif(not HIV.is_file(), reason="needs HIV.csv.gz and molhiv_graphs.npz")
def test_the_split_of_a_sample_and_the_official_one_keep_scaffolds_together():
    pytest.importorskip("rdkit")
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    _, _, official = molecules.molhiv_graphs()
    part_of = np.full(41_127, "", dtype="<U5")
    for name, rows in official.items():
        assert not part_of[rows].any()  # no molecule is in two parts
        part_of[rows] = name
    assert part_of.all()
    # Every 40th molecule: there are scaffolds of several molecules among them.
    smiles, part_of = smiles_of_hiv()[::40], part_of[::40]
    scaffolds = np.array([MurckoScaffoldSmiles(text, includeChirality=True) for text in smiles])
    split = scaffold_split(smiles)
    ours = np.full(len(smiles), "", dtype="<U5")
    for name, rows in split.items():
        ours[rows] = name
    sizes = {name: len(rows) / len(smiles) for name, rows in split.items()}
    assert sizes == pytest.approx({"train": 0.8, "valid": 0.1, "test": 0.1}, abs=0.002)
    names, counts = np.unique(scaffolds, return_counts=True)
    assert (counts > 1).sum() > 40
    for scaffold in names[counts > 1]:
        alike = scaffolds == scaffold
        assert len(set(part_of[alike])) == len(set(ours[alike])) == 1
    assert max(counts[np.isin(names, scaffolds[ours == "test"])]) == 1  # rare scaffolds


# Files of Planetoid ------------------------------------------------------------


def write_planetoid(folder, name="citeseer", test="5\n4\n", **changes):
    """Write a graph of 6 nodes; the last two are for the test, in another order."""
    x = scipy.sparse.csr_matrix(np.eye(6, 3, dtype=np.float32))
    labels = np.eye(2, dtype=np.int32)[[0, 1, 0, 1, 0, 1]]
    parts = {
        "x": x[:2],
        "y": labels[:2],
        "allx": x[:4],
        "ally": labels[:4],
        "tx": x[[5, 4]],
        "ty": labels[[5, 4]],
        "graph": {0: [1, 1, 0], 1: [0], 4: [5], 5: [4], 2: [3], 3: [2]},
    }
    (folder / "planetoid").mkdir(exist_ok=True)
    for part, value in (parts | changes).items():
        path = folder / "planetoid" / f"ind.{name}.{part}"
        path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol=3))
    (folder / "planetoid" / f"ind.{name}.test.index").write_text(test)
    return x, labels.argmax(axis=1)


def test_planetoid(folder):
    x, y = write_planetoid(folder)
    graph = planetoid.read_planetoid("citeseer")
    assert (graph.features != x).nnz == 0
    assert graph.y.tolist() == y.tolist()
    assert graph.adjacency.toarray().sum() == 6
    assert (graph.train.tolist(), graph.test.tolist()) == ([0, 1], [4, 5])
    assert len(load_dataset("citeseer").X_test) == 2


def test_cora_is_read_from_its_published_files(folder):
    write_planetoid(folder, "cora")
    cora = load_dataset("cora")
    assert cora.y_train.tolist() == [0, 1]
    assert cora.X_test.index.tolist() == [4, 5]


LABELS = np.eye(2, dtype=np.int32)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ty": LABELS[:1]}, "for each row of tx and ty"),
        ({"test": "3\n4\n"}, "nodes? after those of allx"),
        ({"test": ""}, "for each row of tx and ty"),
        ({"graph": {0: [99]}}, "nodes from 0 to 5; it has 99"),
        ({"graph": scipy.sparse.csr_matrix(np.eye(2))}, "graph must be a dict"),
        ({"y": scipy.sparse.csr_matrix(np.eye(2))}, "y, ty and ally must be arrays"),
        ({"x": LABELS}, "x, tx and allx must be sparse"),
        ({"y": LABELS[:0]}, "y must be the labels of x"),
        ({"ally": np.eye(4, 3, dtype=np.int32)}, "as many columns"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(folder, changes, words):
    write_planetoid(folder, **changes)
    with pytest.raises(DatasetUnavailable, match=rf"ind\.citeseer\.\*.*belong together.*{words}"):
        planetoid.read_planetoid("citeseer")


class _Attack:
    def __reduce__(self):
        return os.mkdir, ("attacked",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"graph": _Attack()}, r"names posix.mkdir|names nt.mkdir"),
        ({"x": b"not a pickle"}, "not a file of Planetoid"),
        ({"y": "words"}, "holds a str"),
        ({"ally": np.array([{}], object)}, "not a file of Planetoid"),
    ],
)
def test_a_pickle_that_names_anything_else_is_refused(folder, monkeypatch, changes, words):
    monkeypatch.chdir(folder)
    write_planetoid(folder, **changes)
    with pytest.raises(DatasetUnavailable, match=words):
        planetoid.read_planetoid("citeseer")
    assert not (folder / "attacked").exists()


def test_a_large_pickle_is_not_read(folder, monkeypatch):
    write_planetoid(folder)
    monkeypatch.setattr(planetoid, "_MAX_BYTES", 20)
    with pytest.raises(DatasetUnavailable, match="at most 20 bytes"):
        planetoid.read_planetoid("citeseer")


# Files of OGBN-Arxiv ------------------------------------------------------------


def write_arxiv(folder, monkeypatch, **changes):
    tables = {
        "raw/edge.csv.gz": "0,1\n1,0\n2,1\n2,2\n",
        "raw/node-feat.csv.gz": "0.5,1\n1,2\n-1,0.25\n",
        "raw/node-label.csv.gz": "0\n1\n0\n",
        "split/time/train.csv.gz": "0\n1\n",
        "split/time/valid.csv.gz": "2\n",
        "split/time/test.csv.gz": "2\n",
    } | changes
    shapes = {"raw/edge.csv.gz": (4, 2), "raw/node-feat.csv.gz": (3, 2)}
    shapes |= {"raw/node-label.csv.gz": (3, 1), "split/time/train.csv.gz": (2, 1)}
    shapes |= {"split/time/valid.csv.gz": (1, 1), "split/time/test.csv.gz": (1, 1)}
    monkeypatch.setattr(ogb, "_SHAPES", shapes)
    for name, text in tables.items():
        path = folder / "ogbn_arxiv" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))


def test_arxiv(folder, monkeypatch):
    write_arxiv(folder, monkeypatch)
    data = load_dataset("arxiv")
    assert data.X_train.adjacency.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert np.asarray(data.X_test).tolist() == [[-1, 0.25]]
    assert (data.y_train.tolist(), data.y_test.tolist()) == ([0, 1], [0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"raw/edge.csv.gz": "0,1\n"}, r"shape \(4, 2\); found a table of shape \(1, 2\)"),
        ({"raw/edge.csv.gz": "0,1\n1,0\n2,1\n2,9\n"}, "nodes in edge.csv.gz of arxiv.*0 to 9"),
        ({"raw/node-label.csv.gz": "1" * 999}, "more than 96 bytes"),
        ({"raw/node-label.csv.gz": "a\nb\nc\n"}, "CSV table"),
    ],
)
def test_other_tables_are_refused(folder, monkeypatch, changes, words):
    write_arxiv(folder, monkeypatch, **changes)
    with pytest.raises(DatasetUnavailable, match=words):
        load_dataset("arxiv")
