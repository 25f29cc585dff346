"""Chart of the benchmark: cost against number of ballots, as SVG."""

from math import log10

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 360, 60, 30, 50
#: the least height between two labels
LABEL = 15
COLOURS = {
    "ballots": "#0b6e4f",
    "home": "#b3541e",
    "winners": "#3b5bb5",
    "winners, logged in": "#6d7f8f",
    "my ballots": "#8a3a8f",
}


def draw_chart(results: dict[str, dict[str, object]]) -> str:
    """Draw each figure's rate against hello-world by the number of ballots, a panel a database."""
    panels = "".join(
        _panel(name, result, index * HEIGHT) for index, (name, result) in enumerate(results.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT * len(results)}"'
        ' font-family="system-ui, sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="#fff"/>{panels}</svg>\n'
    )


def _panel(name: str, result: dict[str, object], top: int) -> str:
    sizes: list[int] = result["sizes"]  # type: ignore[assignment]
    points: dict[str, list[float]] = result["points"]  # type: ignore[assignment]
    most = max(max(rates) for rates in points.values()) * 1.15
    span = (log10(sizes[-1]) - log10(sizes[0])) or 1

    def x(size: int) -> float:
        return LEFT + (log10(size) - log10(sizes[0])) / span * (WIDTH - LEFT - 130)

    def y(rate: float) -> float:
        return top + HEIGHT - BOTTOM - rate / most * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text x="{LEFT}" y="{top + 20}" font-weight="700">{name}: rate / hello-world</text>']
    for size in sizes:
        parts.append(
            f'<text x="{x(size):.0f}" y="{top + HEIGHT - 28}" text-anchor="middle">{size:,}</text>'
        )
    parts.append(f'<text x="{WIDTH / 2}" y="{top + HEIGHT - 8}">ballots in the day</text>')
    for step in range(5):
        rate = most * step / 4
        parts.append(
            f'<path d="M{LEFT} {y(rate):.1f}H{WIDTH - 130}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y(rate) + 4:.1f}" text-anchor="end">{rate:.2f}</text>'
        )
    lowest = float(top + HEIGHT)
    for label, rates in sorted(points.items(), key=lambda point: point[1][-1]):
        line = " ".join(f"{x(s):.1f},{y(r):.1f}" for s, r in zip(sizes, rates, strict=True))
        lowest = min(y(rates[-1]) + 4, lowest - LABEL)  # labels stay apart where lines do not
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{COLOURS[label]}" stroke-width="2"/>'
            f'<text x="{WIDTH - 122}" y="{lowest:.1f}" fill="{COLOURS[label]}">{label}</text>'
        )
    return "".join(parts)
