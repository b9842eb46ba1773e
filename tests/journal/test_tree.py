"""The tree hashes as RFC 6962 says, and its proofs prove."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.journal import tree

#: The eight leaves that Certificate Transparency programs test themselves with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
#: Their roots, for one to eight leaves.
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


class Grown:
    """A tree of so many leaves with the hashes that a store would keep."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.kept: dict[tuple[int, int], bytes] = {}
        self.asked = 0
        frontier = tree.Frontier()
        for number, body in enumerate(leaves):
            self.kept[0, number] = tree.leaf(body)
            for level, place, hash in frontier.add(self.kept[0, number]):
                self.kept[level, place] = hash
        self.root = frontier.root()

    def hashes(self, level: int, first: int, count: int) -> list[bytes]:
        self.asked += count
        return [self.kept[level, number] for number in range(first, first + count)]


def numbered(count: int) -> Grown:
    return Grown([str(number).encode() for number in range(count)])


BIG = numbered(1100)


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_of_the_standard_leaves_are_the_published_ones(size: int) -> None:
    assert Grown(LEAVES[:size]).root.hex() == ROOTS[size - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert tree.Frontier().root().hex().startswith("e3b0c44298fc1c14")


def test_the_published_inclusion_proof_comes_out() -> None:
    proof = tree.inclusion(5, 8, Grown(LEAVES).hashes)

    assert [hash.hex() for hash in proof] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        ROOTS[3],
    ]


@given(st.data())
def test_every_leaf_has_a_proof_that_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 1100))
    index = data.draw(st.integers(0, size - 1))
    root = tree.root(size, BIG.hashes)
    leaf = tree.leaf(str(index).encode())
    proof = tree.inclusion(index, size, BIG.hashes)

    assert tree.verify_inclusion(leaf, index, size, proof, root)
    assert not tree.verify_inclusion(tree.leaf(b"other"), index, size, proof, root)
    assert not tree.verify_inclusion(leaf, index, size, (*proof, leaf), root)
    if proof:
        assert not tree.verify_inclusion(leaf, index, size, proof[:-1], root)
        assert not tree.verify_inclusion(leaf, index ^ 1, size, proof, root)


@given(st.data())
def test_a_tree_that_grew_has_a_proof_of_it(data: st.DataObject) -> None:
    new = data.draw(st.integers(0, 1100))
    old = data.draw(st.integers(0, new))
    before = old, tree.root(old, BIG.hashes)
    after = new, tree.root(new, BIG.hashes)
    proof = tree.consistency(old, new, BIG.hashes)

    assert tree.verify_consistency(before, after, proof)
    assert not tree.verify_consistency(before, after, (*proof, tree.leaf(b"")))
    assert not tree.verify_consistency((old, tree.leaf(b"other")), after, proof)
    if old > 0:
        assert not tree.verify_consistency(before, (new, tree.leaf(b"other")), proof)


@given(st.integers(0, 1100))
def test_a_tree_is_taken_up_again_from_its_peaks(size: int) -> None:
    frontier = tree.Frontier(size, tree.peaks(size, BIG.hashes))
    for number in range(size, 1100):
        frontier.add(tree.leaf(str(number).encode()))

    assert frontier.root() == BIG.root


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree of"):
        tree.inclusion(index, size, BIG.hashes)
    assert not tree.verify_inclusion(b"", index, size, (), b"")


@pytest.mark.parametrize(("old", "new"), [(2, 1), (-1, 1)])
def test_a_tree_that_shrank_has_no_proof(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="is no beginning of"):
        tree.consistency(old, new, BIG.hashes)
    assert not tree.verify_consistency((old, b""), (new, b""), ())


def test_a_proof_is_below_a_kilobyte_and_reads_few_hashes() -> None:
    def hashes(level: int, first: int, count: int) -> list[bytes]:
        read.append(count)
        return [bytes(32)] * count

    read: list[int] = []
    proof = tree.inclusion(654_321, 1_000_000, hashes)

    assert 32 * len(proof) <= 1000
    assert sum(read) < 1000
