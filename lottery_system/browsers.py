"""Browser names: a User-Agent header in a few plain words, such as "Firefox on Android"; pure.

The header itself is never stored: it is long, and tells people apart. What is unknown is left out.
"""

#: what a header contains, the more special first: nearly all claim to be Safari or Chrome
BROWSERS = (
    ("SamsungBrowser/", "Samsung Internet"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
#: between the two, in English: pages translate it
ON = " on "
#: characters of a header that are looked at
LONGEST = 400


def describe_browser(user_agent: str | None) -> str | None:
    """Return browser and system of a User-Agent header (RFC 9110, 10.1.5); None if unknown."""
    text = (user_agent or "")[:LONGEST]
    names = [
        next((name for mark, name in known if mark in text), None) for known in (BROWSERS, SYSTEMS)
    ]
    return ON.join(name for name in names if name) or None
