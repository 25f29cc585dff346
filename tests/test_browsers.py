"""Browser names: what is told of a User-Agent header."""

import pytest

from lottery_system.browsers import describe_browser
from lottery_system.models.account_event import BROWSER_LENGTH

MOZILLA, WEBKIT = "Mozilla/5.0", "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (f"{MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
         "Firefox on Linux"),
        (f"{MOZILLA} (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
         "Firefox on Android"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36",
         "Chrome on Windows"),
        (f"{MOZILLA} (Windows NT 10.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
         "Edge on Windows"),
        (f"{MOZILLA} (Linux; Android 10; K) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Safari/1",
         "Samsung Internet on Android"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_5 like Mac OS X) {WEBKIT} Version/18.5 Safari/604.1",
         "Safari on iPhone"),
        (f"{MOZILLA} (iPad; CPU OS 18_5 like Mac OS X) {WEBKIT} CriOS/140.0.0.0 Safari/604.1",
         "Chrome on iPad"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.5 Safari/605.1.15",
         "Safari on Mac"),
        (f"{MOZILLA} (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36",
         "Chrome on ChromeOS"),
        ("Something (Linux)", "Linux"),
        ("Firefox/1", "Firefox"),
        ("curl/8.5.0", None),
        ("", None),
        (None, None),
        ("x" * 400 + "Firefox/140.0 Linux", None),
    ],
)  # fmt: skip
def test_a_browser_is_told_in_a_few_words(header: str | None, words: str | None) -> None:
    assert describe_browser(header) == words
    assert len(words or "") <= BROWSER_LENGTH
