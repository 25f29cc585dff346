"""Drawing of a Merkle path: how one ballot leads up to the root of its day's log. Pure."""

from typing import NamedTuple

#: units of the drawing; it is stretched to the page's width
WIDTH, MARGIN, STEP = 600, 12, 30


class Row(NamedTuple):
    """A level of the tree, in units of the drawing."""

    y: int
    #: where its first and its last node stand
    first: float
    last: float
    #: where the node above the ballot stands, and the neighbour that it is joined with, if any
    node: float
    neighbour: float | None
    #: where the node that both are joined to stands; None at the top
    parent: float | None
    parent_y: int


class Tree(NamedTuple):
    """The levels from the fingerprint down to the ballots."""

    rows: list[Row]
    height: int
    #: joinings on the way from the ballot to the fingerprint
    steps: int


def tree_of(size: int, number: int) -> Tree:
    """Draw the way of a ballot through the tree over a day's ballots (RFC 9162 section 2.1).

    Args:
        size: ballots of the day, 1 or more.
        number: of the ballot, from 1 to `size`.
    """
    levels = [(number - 1, size)]
    while levels[-1][1] > 1:
        index, count = levels[-1]
        levels.append((index // 2, (count + 1) // 2))
    levels.reverse()
    rows: list[Row] = []
    joined = 0
    for depth, (index, count) in enumerate(levels):
        neighbour = index ^ 1 if depth and index ^ 1 < count else None
        joined += neighbour is not None
        above = rows[-1] if rows else None
        rows.append(
            Row(
                y=MARGIN + depth * STEP,
                first=_x(0, count),
                last=_x(count - 1, count),
                node=_x(index, count),
                neighbour=None if neighbour is None else _x(neighbour, count),
                parent=above.node if above else None,
                parent_y=above.y if above else 0,
            )
        )
    return Tree(rows, rows[-1].y + MARGIN, joined)


def _x(index: int, count: int) -> float:
    """Return where a node stands among those of its level."""
    return round(MARGIN + (WIDTH - 2 * MARGIN) * (index + 0.5) / count, 1)
