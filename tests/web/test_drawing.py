"""Drawing of a Merkle path: it shows the steps of the inclusion proof."""

from hypothesis import given
from hypothesis import strategies as st

from lottery_system.fairness.merkle import inclusion_path
from lottery_system.web.drawing import MARGIN, WIDTH, tree_of


@given(st.integers(1, 10**9), st.data())
def test_every_level_of_the_drawing_lies_within_it(size: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, size))

    tree = tree_of(size, number)

    for row in tree.rows:
        assert MARGIN <= row.first <= row.node <= row.last <= WIDTH - MARGIN
    assert tree.rows[-1].y < tree.height
    assert tree.rows[0].parent is None


@given(st.integers(1, 10**9), st.data())
def test_it_joins_as_many_neighbours_as_a_proof_has_hashes(size: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, size))

    tree = tree_of(size, number)

    assert tree.steps == len(inclusion_path(number - 1, size))
    assert tree.steps == sum(row.neighbour is not None for row in tree.rows)
