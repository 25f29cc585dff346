"""Passkey checks (W3C Web Authentication Level 3): what a browser is asked, and what it answers.

Pure: no request, no database. A challenge is a text signed by the lottery, so that asking for one
stores nothing; `UsedChallenge` keeps those that were answered.

The library that reads CBOR, COSE and attestations costs 16 MB and a tenth of a second where it is
imported, so functions import it when a passkey is used.
"""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from lottery_system.errors import LotteryError

#: for how long a challenge can be answered
LASTS = timedelta(minutes=5)
#: bytes of a challenge that are random (Web Authentication Level 3 section 13.4.3: at least 16)
NONCE_BYTES = 16
#: bytes of a credential id (Web Authentication Level 3 section 7.1), and characters of an answer
LONGEST_ID = 1023
LONGEST_ANSWER = 10_000


class BadPasskey(LotteryError):
    """What the browser answered is no passkey of this site that was asked for just now."""

    def __init__(self, reason: str) -> None:
        super().__init__("This passkey didn’t work here. Try again, or log in with your password.")
        #: for the log
        self.reason = reason


@dataclass(frozen=True)
class Site:
    """The site whose passkeys are asked for."""

    #: the domain, to which passkeys belong
    domain: str
    #: where its pages may be: scheme, host and port
    origins: tuple[str, ...]


@dataclass(frozen=True)
class CreatedPasskey:
    """What a device has made."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    user_handle: bytes
    sign_count: int


@dataclass(frozen=True)
class Challenges:
    """The challenges of one purpose and browser, or account.

    Args:
        secret_key: the lottery's.
        purpose: what the answer is for, and whose: no other challenge is right then.
    """

    secret_key: str = field(repr=False)
    purpose: str

    def new(self, now: datetime) -> bytes:
        """Return a challenge that can be answered for five minutes."""
        return self._signer.dumps([token_urlsafe(NONCE_BYTES), int(now.timestamp())]).encode()

    def demand(self, answer: dict[str, Any], now: datetime) -> bytes:
        """Return the challenge that was answered, if it is one of these and its time is not over.

        Clocks of hosts differ: one from the future is as good.

        Raises:
            BadPasskey: it is not.
        """
        try:
            client_data = json.loads(_bytes(answer["response"]["clientDataJSON"]))
            challenge = _bytes(client_data["challenge"])
            _, issued_at = self._signer.loads(challenge)
        except BadSignature as error:
            raise BadPasskey("challenge") from error
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise BadPasskey("malformed") from error
        if abs(now.timestamp() - issued_at) > LASTS.total_seconds():
            raise BadPasskey("too_late")
        return challenge

    @property
    def _signer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret_key, salt=f"passkey {self.purpose}")


def read_answer(text: str) -> dict[str, Any]:
    """Read what a form sends of a browser's answer: `PublicKeyCredential` as JSON.

    Raises:
        BadPasskey: it has not the form of one.
    """
    if len(text) > LONGEST_ANSWER:
        raise BadPasskey("too_long")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadPasskey("malformed") from error
    if not isinstance(answer, dict):
        raise BadPasskey("malformed")
    return answer


def credential_id_of(answer: dict[str, Any]) -> bytes:
    """Return the name by which the device knows the passkey.

    Raises:
        BadPasskey: there is none.
    """
    try:
        return _bytes(answer["rawId"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadPasskey("malformed") from error


def to_create(
    site: Site,
    challenge: bytes,
    *,
    title: str,
    username: str,
    user_handle: bytes,
    known: list[bytes],
) -> str:
    """Return, as JSON, what `navigator.credentials.create` is asked for.

    A passkey that is found without a username, and that checks who is there by fingerprint, face or
    PIN; nothing about the maker of the device.

    Args:
        title: of the site.
        user_handle: how the device names the account.
        known: the ids of the account's passkeys, of which a device makes no second one.
    """
    import webauthn
    from webauthn.helpers import structs

    options = webauthn.generate_registration_options(
        rp_id=site.domain,
        rp_name=title,
        user_name=username,
        user_id=user_handle,
        challenge=challenge,
        timeout=_milliseconds(),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=each) for each in known],
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
    )
    return webauthn.options_to_json(options)


def to_use(site: Site, challenge: bytes, known: list[bytes] | None = None) -> str:
    """Return, as JSON, what `navigator.credentials.get` is asked for.

    Args:
        known: the ids of one account's passkeys; None for whichever the device has for this site.
    """
    import webauthn
    from webauthn.helpers import structs

    options = webauthn.generate_authentication_options(
        rp_id=site.domain,
        challenge=challenge,
        timeout=_milliseconds(),
        allow_credentials=[structs.PublicKeyCredentialDescriptor(id=each) for each in known or []],
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def check_created(
    answer: dict[str, Any], site: Site, challenge: bytes, user_handle: bytes
) -> CreatedPasskey:
    """Check what `navigator.credentials.create` answered (Web Authentication Level 3 section 7.1).

    Raises:
        BadPasskey: it is of another site or challenge, or malformed.
    """
    import webauthn

    try:
        checked = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.domain,
            expected_origin=list(site.origins),
            require_user_verification=True,
        )
    except Exception as error:  # the library lets its readers' own errors through
        raise BadPasskey("refused") from error
    if len(checked.credential_id) > LONGEST_ID:
        raise BadPasskey("long_id")
    return CreatedPasskey(
        checked.credential_id, checked.credential_public_key, user_handle, checked.sign_count
    )


def check_signed(
    answer: dict[str, Any], site: Site, challenge: bytes, public_key: bytes, user_handle: bytes
) -> int:
    """Check what `navigator.credentials.get` answered, and return the device's counter.

    By Web Authentication Level 3 section 7.2, but for the counter, which whoever stores it has to
    compare: the library would do so before it looks at the signature, and anybody who knows a
    passkey's id could have it refused.

    Raises:
        BadPasskey: it is of another site, challenge, account or key, or malformed.
    """
    import webauthn

    try:
        checked = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.domain,
            expected_origin=list(site.origins),
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        named = answer["response"].get("userHandle")
        if named and _bytes(named) != user_handle:
            raise BadPasskey("user_handle")
    except BadPasskey:
        raise
    except Exception as error:  # the library lets its readers' own errors through
        raise BadPasskey("refused") from error
    return checked.new_sign_count


def _milliseconds() -> int:
    return int(LASTS.total_seconds() * 1000)


def _bytes(text: str) -> bytes:
    """Read base64url without padding (RFC 4648 section 5)."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
