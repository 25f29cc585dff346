"""Lighthouse scores on a phone with a slow connection stay above these floors."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.browser.conftest import DRAWN_DAY, Visitors
from tests.browser.floors import LIGHTHOUSE, skip_without
from tests.browser.lighthouse import SLOWDOWN, Lighthouse, Report
from tests.stand_ins.processes import Gunicorn

PUBLIC_PAGES = (
    "/login",
    "/signup",
    "/welcome",
    "/lotteries/1",
    "/winners",
    f"/winners/{DRAWN_DAY}",
    f"/winners/{DRAWN_DAY}/sheet",
    f"/draws/{DRAWN_DAY}",
    "/how-it-works",
)
#: with who looks at them: alice organises, charlie has played and won
PRIVATE_PAGES = (
    ("alice", "/"),
    ("charlie", "/"),
    ("charlie", "/lotteries/1"),
    ("charlie", "/account"),
    ("charlie", "/account/close"),
    ("charlie", "/ballots"),
    ("charlie", f"/ballots/{DRAWN_DAY}"),
    ("alice", "/organiser"),
    ("alice", "/organiser/draws"),
    ("alice", "/organiser/participants"),
    ("alice", "/organiser/changes"),
    ("alice", "/organiser/lotteries/1/withdraw"),
    ("alice", "/organiser/lotteries"),
    ("alice", "/organiser/lotteries/new"),
    ("alice", "/organiser/lotteries/1"),
)

#: no search engine sees a private page
PRIVATE_FLOORS = {"performance": 95, "accessibility": 100, "best-practices": 100}
PUBLIC_FLOORS = {**PRIVATE_FLOORS, "seo": 100}
TRIES = 3


@pytest.fixture(scope="module")
def lighthouse() -> Iterator[Lighthouse]:
    """Run Lighthouse for these tests."""
    skip_without(LIGHTHOUSE)
    with Lighthouse() as lighthouse:
        yield lighthouse


@pytest.mark.parametrize("path", PUBLIC_PAGES)
def test_lighthouse_finds_nothing_wrong_with_a_public_page(
    lighthouse: Lighthouse, played: Gunicorn, path: str
) -> None:
    stands(lighthouse, f"{played.url}{path}", PUBLIC_FLOORS)


@pytest.mark.parametrize(("who", "path"), PRIVATE_PAGES)
def test_lighthouse_finds_nothing_wrong_with_a_private_page(
    lighthouse: Lighthouse, played: Gunicorn, visitors: Visitors, who: str, path: str
) -> None:
    cookies = visitors.cookies(played, who)
    stands(lighthouse, f"{played.url}{path}", PRIVATE_FLOORS, cookies)


def stands(lighthouse: Lighthouse, url: str, floors: dict[str, int], cookies: str = "") -> None:
    """See that a page is nowhere below the floors, and that nothing on it moves as it loads."""
    report = best_of(partial(lighthouse.measure, url, floors, cookies), floors)
    print(url, report.scores, report.layout_shift, report.speed)
    assert not (short := report.below(floors)), "\n".join([url, *short])
    assert report.layout_shift == 0, f"{url} moves as it loads"


def best_of(measure: Callable[[int], Report], floors: dict[str, int]) -> Report:
    """Measure a page; where nothing but its performance falls short, again.

    Lighthouse reckons how fast a slow phone would be from how long this machine took, which other
    programs share: beside two busy ones, a page with nothing on it has 96 of 100. So it is told how
    fast the machine was. A page that is slow is slow each time; all else is the same each time.
    """
    best = measure(SLOWDOWN)
    for _ in range(TRIES - 1):
        if [name for name in floors if best.scores[name] < floors[name]] != ["performance"]:
            break
        best = max(best, measure(best.slowdown), key=lambda each: each.scores["performance"])
    return best


# --- that it can fail ----------------------------------------------------------------------------

#: no language, title or description, words that one cannot read, a script that keeps all from
#: being shown for long and then fails, and a paragraph that is pushed down
SPOILED = b"""<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<p style="color: #ccc; background: #fff">Pale words on white.</p>
<p>Words that move.</p>
<script>
  setTimeout(() => document.body.insertAdjacentHTML("afterbegin", '<p style="height: 9em">'), 500);
  for (const end = performance.now() + 900; performance.now() < end; );
  nothing.here();
</script>
"""


class Spoiled(BaseHTTPRequestHandler):
    """Serves a page that falls short of every floor."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/login")
        else:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(SPOILED)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def spoiled() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Spoiled) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_spoiled_page_is_below_every_floor_and_told_why(
    lighthouse: Lighthouse, spoiled: str
) -> None:
    report = lighthouse.measure(f"{spoiled}/", PUBLIC_FLOORS)

    short = report.below(PUBLIC_FLOORS)
    assert len(short) == len(PUBLIC_FLOORS), short
    told = "\n".join(short)
    for audit in (
        "first-contentful-paint",
        "html-has-lang",
        "document-title",
        "color-contrast",
        "errors-in-console",
        "meta-description",
    ):
        assert audit in told
    assert report.layout_shift > 0


def test_a_page_that_leads_elsewhere_is_not_taken_for_the_one_asked_for(
    lighthouse: Lighthouse, spoiled: str
) -> None:
    with pytest.raises(ValueError, match=r"leads to .*/login"):
        lighthouse.measure(f"{spoiled}/moved", PRIVATE_FLOORS)


@pytest.mark.parametrize(
    ("performances", "accessibility", "best"),
    [
        ([95], 100, 95),  # enough at once
        ([80, 97], 100, 97),
        ([90, 80, 70], 100, 90),  # slow each time
        ([80], 99, 80),  # no noise makes a barrier
    ],
)
def test_only_what_falls_short_in_performance_alone_is_measured_again(
    performances: list[int], accessibility: int, best: int
) -> None:
    measured = iter(performances)

    def measure(_: int) -> Report:
        scores = {"performance": next(measured), "accessibility": accessibility}
        return Report(scores, {}, 0, speed=2000)

    report = best_of(measure, {"performance": 95, "accessibility": 100})

    assert report.scores["performance"] == best
    assert list(measured) == []


@pytest.mark.parametrize(("speed", "slowdown"), [(2000, 4), (1200, 2), (700, 1)])
def test_a_phone_is_less_slower_than_a_machine_that_is_busy(speed: float, slowdown: int) -> None:
    asked = []

    def measure(slowdown: int) -> Report:
        asked.append(slowdown)
        return Report({"performance": 90}, {}, 0, speed)

    best_of(measure, {"performance": 95})

    assert asked == [SLOWDOWN, slowdown, slowdown]
