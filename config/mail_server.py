"""Mail server: LOTTERY_MAIL_URL and LOTTERY_MAIL_FROM after validation.

Messages never repeat the address of the server, which may hold a password.
"""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

#: where each scheme is served if no port is given (RFC 6409 3.1, RFC 8314 3.3)
PORTS = {"smtp": 587, "smtps": 465}
#: a mailbox without quotes, comments or letters beyond ASCII (RFC 5321, 4.1.2)
MAILBOX = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9][A-Za-z0-9-]{0,61}"
    r"(?<!-)"
)
#: characters of a mailbox, and of what stands before its @ (RFC 5321, 4.5.3.1)
LONGEST, LONGEST_LOCAL = 254, 64


@dataclass(frozen=True)
class MailServer:
    """Where mails are handed in, and from whom."""

    host: str
    port: int
    #: whether the connection begins with TLS; otherwise STARTTLS is required off loopback
    is_tls: bool
    #: the address in From
    sender: str
    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def is_loopback(self) -> bool:
        """Return whether the server is on this host, so that nobody listens on the way."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def is_mailbox(text: str) -> bool:
    """Return whether a text is a plain address of ASCII that headers and SMTP take as it is."""
    return (
        len(text) <= LONGEST
        and len(text.partition("@")[0]) <= LONGEST_LOCAL
        and bool(MAILBOX.fullmatch(text))
    )


def read_mail_server(url: str, sender: str) -> MailServer:
    """Read where mails are handed in: `smtp://` or `smtps://`, `user:password@`, host, port.

    User and password may be percent-encoded (RFC 3986, 2.1).

    Raises:
        ValueError: with what is wrong, to be put behind the name of the setting.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is none, or brackets without an address
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    is_plain = url.isascii() and url.isprintable() and " " not in url
    has_more = parts.path not in ("", "/") or "?" in url or "#" in url
    if not is_plain or parts.scheme not in PORTS or not host or port == 0 or has_more:
        raise ValueError(
            "must look like smtp://user:password@mail.example:587 (STARTTLS) or "
            "smtps://user:password@mail.example:465; write %40 for @ in a password, and so on."
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password) or any(not sign.isprintable() for sign in user + password):
        raise ValueError("has a user without a password, or the other way round: give both.")
    return MailServer(
        host, port or PORTS[parts.scheme], parts.scheme == "smtps", sender, user, password
    )
