"""Fuzzing of HTTP requests: random requests from a seed."""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TypeVar
from urllib.parse import quote, unquote_to_bytes, urlencode

T = TypeVar("T")
#: names of fields and parameters, and what is ordinarily sent in each
Ordinary = Mapping[str, Sequence[str]]

#: an address that is nobody's own, TEST-NET-3 (RFC 5737): no network of `LOTTERY_METRICS_NETWORKS`
ELSEWHERE = "203.0.113."
#: what a page must never show as it is
SCRIPT = "<script>alert(7)</script>"
#: what `MAX_CONTENT_LENGTH` lets in, nearly
HUGE = 60_000

#: marks in the wrong order, which a normalisation sorts by insertion
OUT_OF_ORDER = "\u0301" * (HUGE // 4) + "\u0327" * (HUGE // 4)

ODD_TEXTS = [
    "", " ", "\t", "\n", "\r\nSet-Cookie: a=b", "\0", "a\0b", "\x1b[2J", "\x7f",
    "0", "-1", "+1", "1.0", "1e9", "0x10", "٣", "१२", "²", "1_000", "007", " 1 ", "NaN", "Infinity",
    str(2**31 - 1), str(2**31), str(2**63), str(10**30), "9" * 5000,
    "0000-00-00", "0001-01-01", "9999-12-31", "2026-02-30", "2026-W47-4", "20261119", "-001-01-01",
    "2026-11-19T00:00:00", "٢٠٢٦-١١-١٩", "2026-11-19\0",
    "true", "null", "None", "undefined", "[]", "{}", "a[]", "__proto__",
    "' OR 1=1 --", "%", "_", "%%", "%s", "%(most)s", "{0}", "{{7*7}}", "${7*7}", "\\", '"',
    SCRIPT, f"'\"><img src=x onerror={SCRIPT}", "javascript:alert(7)",
    "..", "../../etc/passwd", "//evil.example", "/\\evil.example", "/organiser/lotteries/new",
    "http://[", "http://[::1", "https://evil.example/", "http://a:99999/", "/log/ended/9999/tile/x",
    "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}",
    "é", "e\u0301", "ß", "ſ", "İ", "ﬀ", "\u202e", "\u200b", "\ufeff", "\uffff", "\U0010ffff", "🎟️",
    "а", "ａ", "ﷺ", "\u0958", "\ud800", "Z" + "\u0301" * 50,
    OUT_OF_ORDER,
    # as long as a body may be, for whatever takes the square of a length
    *(
        text * (HUGE // len(text.encode()))
        for text in (
            "a", "9", " ", "\n", "<", "/", "-", "\u0301", "\u0301\u0327", "a\u0301", "\u0f71\u0f72",
            "\u0345\u0301", "ﷺ", "가", "\u1112\u1161\u11ab", "İ", "ǅ", "ﬃ", "\u200d", "\U0001d165",
            "×", "rn", "👩‍👩‍👧",
        )
    ),
]  # fmt: skip

ODD_BYTES = [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"a\x00", b"\x80" * 1000]

ODD_METHODS = [
    "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get",
    "GETGET", "*",
]  # fmt: skip

ODD_HEADERS = [
    ("Host", ""), ("Host", "["), ("Host", "a b"), ("Host", "evil.example"),
    ("Host", "localhost:99999"), ("Host", "localhost:x"), ("Host", "é"),
    ("Origin", "null"), ("Origin", "http://["), ("Origin", "http://a:b:c"), ("Origin", "\xff"),
    ("Origin", "http://evil.example"), ("Origin", "a" * 8000),
    ("Referer", "http://["), ("Referer", "http://evil.example/"), ("Referer", "\xff"),
    ("Accept-Language", "de;q=x, fr;q=-1, *;q=2"), ("Accept-Language", "a," * 4000),
    ("Accept-Language", "-,;,=;q"), ("Accept-Language", "zh-Hans-CN-x-" + "a" * 4000),
    ("Accept", ";q=,/*"), ("Accept", "*/*;q=" + "9" * 4000), ("Accept-Encoding", "gzip;q=x,,;"),
    ("Range", "bytes=0-0,1-1,-1"), ("Range", "bytes=" + "0-1," * 2000), ("Range", "bytes=9-1"),
    ("Range", "x"), ("If-Range", '"'), ("If-None-Match", '"'), ("If-None-Match", "W/" * 3000),
    ("If-Modified-Since", "Thu, 99 Foo 99999 99:99:99 GMT"), ("If-Modified-Since", "-1"),
    ("Cookie", "=; ;;=a; session"), ("Cookie", "session=\xff\xfe"),
    ("Cookie", "session=" + "." * 8000),
    ("Cookie", "session=.eJx;known=eJx.x;receipt=1;language=xx"), ("Cookie", "a=b;" * 2000),
    ("Cookie", 'session="\\400\\"'), ("Authorization", "Basic \xff"), ("Authorization", "Digest ="),
    ("Authorization", "Basic Og=="), ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-For", "," * 4000), ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Prefix", "//evil.example"), ("X-Forwarded-Proto", "javascript"),
    ("X-Http-Method-Override", "DELETE"), ("X-Original-Url", "/organiser"),
    ("Expect", "100-continue"), ("Upgrade", "websocket"), ("Transfer-Encoding", "chunked"),
    ("Content-Encoding", "gzip"), ("Date", "x"), ("Cache-Control", "max-age=-1"),
    ("User-Agent", "\x1b]0;a\x07"), ("Content-Length", "-1"), ("Content-Length", "x"),
    ("Content-Length", "9" * 30), ("Content-Length", "0"), ("Content-Length", "40000"),
    ("Content-Length", str(10**6)),
]  # fmt: skip

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
ODD_TYPES = [
    "", "/", ";", "application/json", "application/json; charset=utf-7", "text/plain", "text/xml",
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\xff",
    "multipart/form-data; boundary=" + "b" * 5000, "multipart/mixed; boundary=b",
    FORM + "; charset=utf-16", FORM + "; charset=x" * 500, "application/octet-stream",
]  # fmt: skip


ODD_JSON = [
    b"", b"null", b"1", b'"a"', b"[]", b'["csrf_token"]', b"{", b"[" * 30_000, b'{"a":' * 10_000,
    b"9" * 60_000, b"1e999999", b'{"\\ud800": "\\ud800"}', b"\xff\xfe{\0}\0", b"NaN",
]  # fmt: skip

ODD_BEGINNINGS = ["/", "//evil.example", "/%2e%2e", "/.", "/%5c"]
ODD_ENDS = ["/", "//", "%2f", "%00", "%ff", ";a=b", "/..", "%0d%0a", "."]

#: what gunicorn lets into a request line, nearly
LONGEST_LINE = 4000
QUOTED = {byte: b"%%%02X" % byte for byte in b"&=+%;"} | {0x20: b"+"}
#: fields of a form that has more of them than any has
MANY = 31_000


@dataclass(frozen=True)
class Request:
    """What goes over the wire, as far as gunicorn hands it on."""

    method: str
    #: quoted, without the query
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def environ(self) -> dict[str, object]:
        """Return it as gunicorn does (PEP 3333)."""
        headers = {
            f"HTTP_{name.upper().replace('-', '_')}": text for name, text in self.headers
        }  # the last of each name
        environ: dict[str, object] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "RAW_URI": f"{self.path}?{self.query}",
            "QUERY_STRING": self.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(self.body),
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **headers,
        }
        for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            if f"HTTP_{name}" in environ:
                environ[name] = environ.pop(f"HTTP_{name}")
        return environ

    def __str__(self) -> str:
        headers = [f"{name}: {_short(text)}" for name, text in self.headers if name != "Cookie"]
        odd = [f"Cookie: {_short(text)}" for name, text in self.headers[1:] if name == "Cookie"]
        line = f"{self.method} {_short(self.path)}?{_short(self.query)}"
        body = _short(self.body.decode("latin-1"), 300)
        return f"{line} {headers + odd} {body}"


def known_odd_posts(
    path: str, own: Sequence[str], ordinary: Ordinary, cookies: str
) -> Iterator[Request]:
    """Yield what each address that takes a form must have: some have failed at each of these.

    Args:
        own: the fields that the address reads.
    """
    fields = {name: ordinary.get(name, ["1"])[0].encode() for name in [*own, "csrf_token"]}

    def post(body: bytes, kind: str = FORM, **headers: str) -> Request:
        sent = {"Content-Type": kind, "Content-Length": str(len(body)), **headers}
        return Request("POST", path, "", (("Cookie", cookies), *sent.items()), body)

    for name in own:
        yield post(_form([*(fields | {name: OUT_OF_ORDER.encode()}).items()]))
    yield post(b"&".join([_form([*fields.items()]), *[b"a"] * MANY]))
    yield post(_form([*fields.items()]), Origin="http://[")
    yield post(_form([("a", b"1")]), Origin="http://[")
    yield post(_multipart([*fields.items()]), MULTIPART)
    yield post(b"", "multipart/form-data")
    wrong_types = json.dumps({name: [1] for name in own}).encode()
    for text in (b"[" * 30_000, b'"a"', wrong_types):
        yield post(text, "application/json", **{"X-CSRFToken": ordinary["csrf_token"][0]})


class Oddities:
    """Makes requests from a seed; each oddity comes up once before any comes up again."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self._decks: dict[int, list[int]] = {}

    def client(self) -> str:
        """Return an address to send from: what is bounded by address is not what is tried here."""
        return f"{ELSEWHERE}{self.random.randrange(256)}"

    def request(
        self, method: str, rule: str, own: Sequence[str], ordinary: Ordinary, cookies: str
    ) -> Request:
        """Return a request to a route, from somebody who holds these cookies.

        Args:
            own: the fields that the route reads, as far as is known.
        """
        fields = self._fields(own, ordinary)
        kind, body, query = FORM, b"", ""
        headers = [("Cookie", cookies)]
        if method == "POST":
            kind, body = self._typed(fields)
            if self._happens(0.5):  # so that a body of another kind gets further than that, too
                headers.append(("X-CSRFToken", ordinary["csrf_token"][0]))
        elif self._happens(0.4):
            query = urlencode(fields)[:LONGEST_LINE]
        headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        if self._happens(0.5):
            headers.append(self._dealt(ODD_HEADERS))
        if self._happens(0.1):
            method = self._dealt(ODD_METHODS)
        return Request(method, self._path(rule, ordinary), query, tuple(headers), body)

    def _path(self, rule: str, ordinary: Ordinary) -> str:
        """Fill in the parameters of a route, and at times spoil the path around them."""

        def value(found: re.Match[str]) -> str:
            if self._happens(0.75):
                return quote(self.random.choice(ordinary.get(found[1], ["1"])))
            return quote(self._text(), safe="")[:LONGEST_LINE]

        path = re.sub(r"<(?:\w+(?:\(.*?\))?:)?(\w+)>", value, rule)
        if self._happens(0.05):
            path += self._dealt(ODD_ENDS)
        if self._happens(0.05):
            path = self._dealt(ODD_BEGINNINGS) + path
        return path

    def _fields(self, own: Sequence[str], ordinary: Ordinary) -> list[tuple[str, bytes]]:
        """Return a form as it is meant, but for a field or more."""
        fields = [(name, self.random.choice(ordinary.get(name, ["1"])).encode()) for name in own]
        for _ in range(self.random.choice([0, 1, 1, 2, 4])):
            at = self.random.randrange(max(1, len(fields)))
            name = fields[at][0] if fields else self.random.choice(list(ordinary))
            match self.random.randrange(8):
                case 0:
                    fields[at : at + 1] = []
                case 1:
                    fields.insert(at, (name, self._text()))
                case 2:
                    fields.append((self._text().decode("latin-1")[:1000], self._text()))
                case 3:
                    fields.append((self.random.choice(list(ordinary)), self._text()))
                case _:
                    fields[at : at + 1] = [(name, self._text())]
        if self._happens(0.02):
            fields += [("a", b"")] * (HUGE // 4)
        if self._happens(0.3):
            fields.append(("resume", self.random.choice(ordinary["resume"]).encode()))
        if self._happens(0.95):
            fields.append(("csrf_token", ordinary["csrf_token"][0].encode()))
        return fields

    def _typed(self, fields: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
        """Return a content type and a body, of which one is at times none of the other's."""
        chance = self.random.random()
        if chance < 0.75:
            return FORM, _form(fields)
        if chance < 0.8:
            return self._dealt(ODD_TYPES), _form(fields)
        if chance < 0.85:
            return "application/json", self._json(fields)
        if chance < 0.95:
            return self._dealt([FORM, *ODD_TYPES]), self.random.randbytes(
                self.random.choice([1, 100, 10_000, 100_000])
            )
        return MULTIPART, _multipart(fields[:900])

    def _json(self, fields: Sequence[tuple[str, bytes]]) -> bytes:
        """Return JSON whose values are of other types than a form has."""
        if self._happens(0.3):
            return self._dealt(ODD_JSON)
        types: list[object] = [None, True, -1, 1e308, [], ["a", 1], {}, {"a": None}, "a"]
        return json.dumps(
            {
                name: text.decode("latin-1") if self._happens(0.5) else self.random.choice(types)
                for name, text in fields
            }
        ).encode()

    def _text(self) -> bytes:
        """Return what nobody types."""
        chance = self.random.random()
        if chance < 0.1:
            return self.random.randbytes(self.random.randint(1, 200))
        if chance < 0.2:
            return self._dealt(ODD_BYTES)
        if chance < 0.3:
            letters = [chr(self.random.randrange(0x11_0000)) for _ in range(200)]
            return "".join(letters).encode("utf-8", "surrogatepass")
        return self._dealt(ODD_TEXTS).encode("utf-8", "surrogatepass")

    def _dealt(self, deck: Sequence[T]) -> T:
        """Deal from a shuffled deck, so that each card comes up before any comes up again."""
        left = self._decks.setdefault(len(deck), [])
        if not left:
            left += self.random.sample(range(len(deck)), len(deck))
        return deck[left.pop()]

    def _happens(self, chance: float) -> bool:
        return self.random.random() < chance


def _form(fields: Sequence[tuple[str, bytes]]) -> bytes:
    """Write a form, quoting what must be: three letters a byte would leave room for a third."""

    def quoted(text: bytes) -> bytes:
        return b"".join(QUOTED.get(byte, bytes([byte])) for byte in text)

    return b"&".join(quoted(name.encode()) + b"=" + quoted(text) for name, text in fields)


def _multipart(fields: Sequence[tuple[str, bytes]]) -> bytes:
    """Write a form whose fields are uploads (RFC 7578)."""
    part = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
    parts = [part % (name.encode(), text[:200], text) for name, text in fields]
    return b"".join(parts) + b"--b--\r\n"


def _short(text: str, most: int = 150) -> str:
    """Return a text as it can be printed, its middle left out where it is long."""
    short = text if len(text) <= most else f"{text[: most - 20]}...({len(text)})...{text[-20:]}"
    return ascii(short)
