"""Mail addresses: which can be had, and when two are the same. Pure.

The part before the @ is plain ASCII, and kept as it was typed. A domain of other letters is kept in
its ASCII form (IDNA, RFC 5890), in which any mail server takes it.
"""

from config.mail_server import LONGEST, is_mailbox
from lottery_system.errors import LotteryError

#: letters that IDNA 2003, which Python has, and IDNA 2008 encode differently (UTS 46, table 1): a
#: mail would reach another domain
DEVIATING = frozenset("ßς\u200c\u200d")


class BadMailAddress(LotteryError):
    """No mail can be sent to this address."""


def enforce_mail_address(text: str) -> str:
    """Return an address in the form in which it is stored and written to.

    Raises:
        BadMailAddress: with a sentence for the person who typed it.
    """
    address = text.strip(" ")
    if len(address) > LONGEST:
        raise BadMailAddress(
            "An email address can be at most %(most)s characters long.", most=LONGEST
        )
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        raise BadMailAddress("Enter an email address like name@example.org.")
    if not local.isascii():
        raise BadMailAddress(
            "We can only send to addresses with plain letters (a to z) before the @. Use another "
            "address."
        )
    address = f"{local}@{_ascii_domain(domain)}"
    if "." not in domain or not is_mailbox(address):
        raise BadMailAddress(
            "This isn’t an email address that we can send to. Enter one address like "
            "name@example.org."
        )
    return address


def mail_address_key(address: str) -> str:
    """Fold an address so that its case does not matter, which hardly any server tells apart."""
    return address.casefold()


def _ascii_domain(domain: str) -> str:
    """Return a domain in lower case and ASCII; as it is if it has no such form."""
    if domain.isascii():
        return domain.lower()
    if DEVIATING & set(domain.lower()):
        raise BadMailAddress(
            "Write the domain of this address in its ASCII form, which begins with xn--."
        )
    try:
        return domain.encode("idna").decode().lower()
    except UnicodeError:
        return domain
