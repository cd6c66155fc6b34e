"""Molecules: SMILES to graphs by the features of the Open Graph Benchmark, and MolHIV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse

from ..inputs import Graph
from .base import Dataset
from .local_files import find, missing, verified_arrays

#: Number of categories of each feature of an atom: atomic number, chirality, degree, formal
#: charge, hydrogens, radical electrons, hybridisation, aromatic, in a ring.
ATOM_CATEGORIES = (119, 5, 12, 12, 10, 6, 6, 2, 2)
#: Number of categories of each feature of a bond: type, stereo, conjugated.
BOND_CATEGORIES = (5, 6, 2)

# RDKit's names in the order of their codes; the last code of each stands for any other.
_CHIRALITY = (
    "CHI_UNSPECIFIED",
    "CHI_TETRAHEDRAL_CW",
    "CHI_TETRAHEDRAL_CCW",
    "CHI_OTHER",
)
_HYBRIDISATION = ("SP", "SP2", "SP3", "SP3D", "SP3D2")
_BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
_STEREO = ("STEREONONE", "STEREOZ", "STEREOE", "STEREOCIS", "STEREOTRANS", "STEREOANY")

_FOLDER, _GRAPHS = "molhiv", "molhiv_graphs.npz"
_GRAPHS_SIZE = 1_603_591
_GRAPHS_SHA256 = "d0d8774552b3a3378449a54e7a5c2054c216ac32378f6d185d8e36fd2833bf8e"


def read_smiles(smiles: Iterable[str]) -> list[Graph]:
    """Return molecules as graphs, with the features of the Open Graph Benchmark (Hu et al., 2020).

    The features are integer codes: nine of an atom (:data:`ATOM_CATEGORIES`) and three of a bond
    (:data:`BOND_CATEGORIES`), which `GINClassifier` and `GINRegressor` take as `node_categories`
    and `edge_categories`. This needs RDKit, the extra ``molecules``.

    Parameters
    ----------
    smiles : iterable of str

    Returns
    -------
    list of Graph
        Atoms and bonds in the order of RDKit; each bond in both directions.

    Raises
    ------
    ValueError
        If RDKit cannot read a molecule; the message has its row, from 0 on, and its SMILES. If
        `smiles` is one string instead of several.
    ImportError
        If RDKit is not installed.
    """
    return graphs_of(smiles, lambda row: f"row {row}")


def graphs_of(smiles: Iterable[str], place: Callable[[int], str]) -> list[Graph]:
    """Return molecules as :func:`read_smiles` does; `place` names a row in its message."""
    return [_graph(molecule) for molecule in _molecules(smiles, place)]


def _molecules(smiles: Iterable[str], place: Callable[[int], str]) -> list[Any]:
    if isinstance(smiles, str):
        raise ValueError(f"smiles must be a list of SMILES; got one, {smiles!r:.60}. Pass [smiles]")
    if find_spec("rdkit") is None:
        raise ImportError("reading SMILES needs RDKit: pip install 'deepreservoir[molecules]'")
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    found = []
    with BlockLogs():  # its messages do not name the row
        for row, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text) if isinstance(text, str) else None
            if molecule is None or not molecule.GetNumAtoms():
                raise ValueError(
                    f"{place(row)} must be the SMILES of a molecule; RDKit cannot read "
                    f"{text!r:.200}. Correct it, or remove the row"
                )
            found.append(molecule)
    return found


def _code(names: Sequence[Any], value: Any) -> int:
    """Return the position of a value, or the code after the last one."""
    return names.index(value) if value in names else len(names)


def _graph(molecule: Any) -> Graph:
    atoms = [
        (
            atom.GetAtomicNum() - 1 if 1 <= atom.GetAtomicNum() <= 118 else 118,
            _code(_CHIRALITY, str(atom.GetChiralTag())),
            _code(range(11), atom.GetTotalDegree()),
            _code(range(-5, 6), atom.GetFormalCharge()),
            _code(range(9), atom.GetTotalNumHs()),
            _code(range(5), atom.GetNumRadicalElectrons()),
            _code(_HYBRIDISATION, str(atom.GetHybridization())),
            int(atom.GetIsAromatic()),
            int(atom.IsInRing()),
        )
        for atom in molecule.GetAtoms()
    ]
    bonds = [
        (
            _code(_BONDS, str(bond.GetBondType())),
            min(_code(_STEREO, str(bond.GetStereo())), len(_STEREO) - 1),
            int(bond.GetIsConjugated()),
        )
        for bond in molecule.GetBonds()
    ]
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    return Graph.undirected(
        np.array(atoms, np.int64),
        np.array(ends, np.int64).reshape(-1, 2).T,
        np.array(bonds, np.int64).reshape(-1, 3),
    )


def scaffold_split(smiles: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the scaffold split of the Open Graph Benchmark: 80 % train, 10 % valid, 10 % test.

    Molecules with the same Bemis-Murcko scaffold, chirality included, stay together; the largest
    groups come first, so the test molecules have rare scaffolds. This needs RDKit.

    Parameters
    ----------
    smiles : sequence of str

    Returns
    -------
    dict of str to ndarray of int
        The rows of ``"train"``, ``"valid"`` and ``"test"``, sorted.

    Raises
    ------
    ValueError, ImportError
        As from :func:`read_smiles`.
    """
    molecules = _molecules(smiles, lambda row: f"row {row}")
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    groups: dict[str, list[int]] = {}
    for row, molecule in enumerate(molecules):
        scaffold = MurckoScaffoldSmiles(mol=molecule, includeChirality=True)
        groups.setdefault(scaffold, []).append(row)
    split: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    n = len(molecules)
    for group in sorted(groups.values(), key=lambda rows: (len(rows), rows[0]), reverse=True):
        if len(split["train"]) + len(group) <= 0.8 * n:
            split["train"] += group
        elif len(split["train"]) + len(split["valid"]) + len(group) <= 0.9 * n:
            split["valid"] += group
        else:
            split["test"] += group
    return {name: np.sort(np.array(rows, np.int64)) for name, rows in split.items()}


def molhiv_graphs() -> tuple[list[Graph], np.ndarray, dict[str, np.ndarray]]:
    """Return the 41,127 graphs of OGBG-MolHIV, their labels, and the official split by name.

    Raises
    ------
    DatasetUnavailable
        If the file is missing or does not have the expected content.
    """
    path = find(_FOLDER, _GRAPHS)
    if path is None:
        source = "the Open Graph Benchmark's ogbg-molhiv, converted as read_smiles does,"
        raise missing("molhiv", _FOLDER, _GRAPHS, source)
    arrays = verified_arrays(path, _GRAPHS_SIZE, _GRAPHS_SHA256)
    x, bonds = arrays["node_feat"].astype(np.int64), arrays["edge_feat"].astype(np.int64)
    edges = arrays["edge"].astype(np.int64).T
    nodes, counts = arrays["num_nodes"].astype(np.int64), arrays["num_edges"].astype(np.int64)
    graphs, node, edge = [], 0, 0
    for n, m in zip(nodes.tolist(), counts.tolist(), strict=True):
        one, attr = edges[:, edge : edge + m], bonds[edge : edge + m]
        graphs.append(
            Graph.trusted(
                x[node : node + n],
                np.concatenate([one, one[::-1]], axis=1),
                np.concatenate([attr, attr]),
            )
        )
        node, edge = node + n, edge + m
    split = {name: arrays[name] for name in ("train", "valid", "test")}
    return graphs, arrays["y"].astype(int), split


def atom_counts(graphs: Sequence[Graph]) -> np.ndarray:
    """Return how often each category of each atom feature occurs in each graph.

    It is the table that a linear reference reads.

    Parameters
    ----------
    graphs : sequence of Graph
        With the features of :func:`read_smiles`.

    Returns
    -------
    ndarray of float64, shape (n_graphs, sum(ATOM_CATEGORIES))
    """
    starts = np.cumsum([0, *ATOM_CATEGORIES[:-1]])
    width = sum(ATOM_CATEGORIES)
    return np.array(
        [np.bincount((graph.x + starts).ravel(), minlength=width) for graph in graphs], float
    ).reshape(-1, width)


def are_molecules(X: Any) -> bool:
    """Return whether samples are graphs with as many features as those of :func:`read_smiles`."""
    if not isinstance(X, list) or not X or not all(isinstance(graph, Graph) for graph in X):
        return False
    first = X[0]
    return (
        first.x.dtype.kind != "f"
        and first.x.shape[1] == len(ATOM_CATEGORIES)
        and first.edge_attr is not None
        and first.edge_attr.dtype.kind != "f"
        and first.edge_attr.shape[1] == len(BOND_CATEGORIES)
    )


def morgan_fingerprints(
    graphs: Sequence[Graph], n_bits: int = 2_048, radius: int = 2
) -> scipy.sparse.csr_matrix:
    """Return the Morgan fingerprints of molecules (Rogers and Hahn, 2010). This needs RDKit.

    They are those of the molecules' SMILES, except for isotopes, which the graphs do not have.

    Parameters
    ----------
    graphs : sequence of Graph
        With the features of :func:`read_smiles`.
    n_bits : int, default=2048
    radius : int, default=2
        How many bonds around an atom a bit can depend on.

    Returns
    -------
    CSR matrix of float32, shape (n_graphs, n_bits)
        1 for a bit that is set.

    References
    ----------
    Rogers and Hahn, Extended-connectivity fingerprints, Journal of Chemical Information and
    Modeling, 2010.
    """
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=n_bits)
    bits = [list(generator.GetFingerprint(_molecule(graph)).GetOnBits()) for graph in graphs]
    bounds = np.cumsum([0, *map(len, bits)])
    columns = np.array([bit for found in bits for bit in found], np.int64)
    ones = np.ones(len(columns), np.float32)
    return scipy.sparse.csr_matrix((ones, columns, bounds), (len(bits), n_bits))


def _molecule(graph: Graph) -> Any:
    """Return the molecule of a graph, without stereochemistry and isotopes."""
    from rdkit import Chem

    kinds = [getattr(Chem.BondType, name) for name in _BONDS]
    molecule = Chem.RWMol()
    for number, _, _, charge, hydrogens, radicals, _, aromatic, _ in graph.x.tolist():
        atom = Chem.Atom(number + 1 if number < 118 else 0)
        atom.SetFormalCharge(charge - 5)
        atom.SetNumExplicitHs(hydrogens)
        atom.SetNumRadicalElectrons(radicals)
        atom.SetIsAromatic(bool(aromatic))
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
    bonds = () if graph.edge_attr is None else graph.edge_attr.tolist()
    for (begin, end), bond in zip(graph.edges.T.tolist(), bonds, strict=True):
        if begin < end:  # each bond is there in both directions
            kind = kinds[bond[0]] if bond[0] < len(kinds) else Chem.BondType.ZERO
            molecule.AddBond(begin, end, kind)
            molecule.GetBondBetweenAtoms(begin, end).SetIsAromatic(bond[0] == 3)
    molecule.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(molecule)
    return molecule


def molhiv() -> Dataset:
    """Return OGBG-MolHIV with its training and test molecules."""
    graphs, y, split = molhiv_graphs()
    return _dataset("molhiv", graphs, y, split["train"], split["test"])


def molhiv_8000() -> Dataset:
    """Return OGBG-MolHIV with 8,000 of the training molecules, all 1,232 active ones among them."""
    graphs, y, split = molhiv_graphs()
    return _dataset("molhiv_8000", graphs, y, reduced_training(y, split["train"]), split["test"])


def reduced_training(y: np.ndarray, train: np.ndarray, n: int = 8_000) -> np.ndarray:
    """Return `n` of the training rows: all active ones, and inactive ones drawn once."""
    active, inactive = train[y[train] == 1], train[y[train] == 0]
    drawn = np.random.default_rng(0).permutation(inactive)[: n - len(active)]
    return np.sort(np.concatenate([active, drawn]))


def _dataset(
    name: str, graphs: list[Graph], y: np.ndarray, train: np.ndarray, test: np.ndarray
) -> Dataset:
    return Dataset(
        name,
        [graphs[i] for i in train],
        y[train],
        [graphs[i] for i in test],
        y[test],
        metric="roc_auc",
        features=atom_counts,
    )
