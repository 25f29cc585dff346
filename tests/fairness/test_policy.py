"""Witness policies, as C2SP tlog-policy has them."""

from itertools import combinations

import pytest

from lottery_system.fairness.cosignature import ML_DSA_44
from lottery_system.fairness.note import SigningKey, format_vkey
from lottery_system.fairness.policy import MAX_POLICY_BYTES, PolicyError, parse_policy
from tests.stand_ins.cosigning import CosigningKey

LOG = format_vkey(SigningKey("lottery.example", b"\x01" * 32).verifier)
KEYS = [CosigningKey(f"w{number}.example", bytes([number]) * 32) for number in range(1, 7)]
X1, X2, X3, Y1, Y2, Y3 = (key.vkey for key in KEYS)
#: the example of the specification
EXAMPLE = f"""log {LOG}

witness X1 {X1}
witness X2 {X2}
witness X3 {X3}
group X-witnesses 2 X1 X2 X3

witness Y1 {Y1}
witness Y2 {Y2}
witness Y3 {Y3}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def is_met(text: str, *signed: int) -> bool:
    """Tell whether a quorum holds where the witnesses of these numbers have signed."""
    keys = [KEYS[number - 1].witness.public_key for number in signed]
    return parse_policy(text.encode()).is_met_by(keys)


@pytest.mark.parametrize(
    ("signed", "holds"),
    [
        ((), False), ((1, 2, 3), False), ((4, 5, 6), False), ((1, 4, 5, 6), False),
        ((1, 3, 6), True), ((2, 3, 4), True), ((1, 2, 3, 4, 5, 6), True),
        ((1, 1, 4), False),  # twice by one is once
    ],
)  # fmt: skip
def test_the_example_of_the_specification_needs_two_x_and_a_y(
    signed: tuple[int, ...], *, holds: bool
) -> None:
    assert is_met(EXAMPLE, *signed) == holds


FOUR = "".join(f"witness W{number} {KEYS[number].vkey}\n" for number in range(4))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("quorum none\n", False),
        ("quorum W0\n", True),
        ("group Q any W0\nquorum Q\n", True),
        ("group Q any W0 W1\nquorum Q\n", False),
        ("group Q all W0 W1\nquorum Q\n", True),
        ("group Q 2 W0 W1 W2\nquorum Q\n", True),
        ("group Q 2 W0 W1 W2 W3\nquorum Q\n", False),
        ("group Q 3 W0 W1 W2 W3\nquorum Q\n", True),
        # one of either pair is not enough to share one, both of a pair are
        ("group A any W0 W1\ngroup B any W2 W3\ngroup Q all A B\nquorum Q\n", False),
        ("group A any W0 W1\ngroup B all W2 W3\ngroup Q all A B\nquorum Q\n", True),
        ("group A any W0 W1\ngroup Q 2 A W2 W3\nquorum Q\n", False),
        ("group A all W0 W1\ngroup Q 2 A W2 W3\nquorum Q\n", True),
    ],
)
def test_a_policy_is_a_majority_where_no_two_lots_of_witnesses_that_share_none_are_enough(
    lines: str, *, expected: bool
) -> None:
    policy = parse_policy((FOUR + lines).encode())

    assert policy.is_majority == expected
    # counted, not reasoned
    everybody = {key.witness.public_key for key in KEYS[:4]}
    sets = [set(some) for count in range(5) for some in combinations(everybody, count)]
    assert expected == (
        not any(policy.is_met_by(some) and policy.is_met_by(everybody - some) for some in sets)
    )


def test_the_keys_and_addresses_of_a_policy_are_read() -> None:
    policy = parse_policy(
        f"log {LOG} https://lottery.example/log/\nwitness W {X1} https://w1.example/\n"
        f"witness V {CosigningKey('v', bytes(32), ML_DSA_44).vkey}\nquorum W\n".encode()
    )

    assert [(format_vkey(log.key), log.url) for log in policy.logs] == [
        (LOG, "https://lottery.example/log/")
    ]
    assert [(each.name, each.url) for each in policy.witnesses] == [
        ("W", "https://w1.example/"), ("V", None)
    ]  # fmt: skip
    assert policy.witnesses[0].key == KEYS[0].witness
    assert policy.quorum == "W"


def test_a_quorum_of_one_witness_or_of_none() -> None:
    assert is_met(f"witness W {X1}\nquorum W\n", 1)
    assert not is_met(f"witness W {X1}\nquorum W\n", 2)
    assert is_met(f"witness W {X1}\nquorum none\n")
    assert is_met("quorum none\n")


def test_white_space_comments_and_any_order_are_taken() -> None:
    text = f"\t# by us\n \nwitness\tW  {X1} \t\nquorum W\n  log {LOG}\n#quorum none"

    policy = parse_policy(text.encode())

    assert (policy.quorum, len(policy.logs), len(policy.witnesses)) == ("W", 1, 1)


def test_names_are_octets() -> None:
    """A Kelvin sign is not a K, and what is no UTF-8 is a name and a comment all the same."""
    parse_policy(f"witness K {X1}\nwitness \u212a {X2}\nquorum K\n".encode())
    parse_policy(b"#\xff\xa0\nwitness \xe9\xa0 " + X1.encode() + b"\nquorum \xe9\xa0\n")


def test_a_policy_has_room_for_what_the_specification_demands() -> None:
    keys = [CosigningKey(f"w{number}", bytes([number]) * 32, ML_DSA_44) for number in range(32)]
    logs = [SigningKey(f"log{number}", bytes([number]) * 32).verifier for number in range(32)]
    text = "".join(
        [f"log {format_vkey(log)}\n" for log in logs]
        + [f"witness W{number} {key.vkey}\n" for number, key in enumerate(keys)]
        + [f"group G{number} any {f'G{number - 1} ' * (number > 0)}W{number}\n"
           for number in range(32)]
        + ["quorum G31\n"]
    )  # fmt: skip
    policy = parse_policy(text.encode())

    assert policy.is_met_by([keys[0].witness.public_key])
    assert not policy.is_met_by([])


W = f"witness W {X1}\nwitness V {X2}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no line quorum"),
        (W, "no line quorum"),
        (f"{W}Quorum W\n", "line 3: a line begins with"),
        (f"{W}quorum W\r\n", "line 3: there is a control character"),
        (f"{W}quorum W\x0b\n", "line 3: there is a control character"),
        ("# \x7f\nquorum none\n", "line 1: there is a control character"),
        (f"{W}quorum W # ours\n", "line 3: the quorum is one name"),
        (f"{W}quorum\n", "line 3: the quorum is one name"),
        (f"{W}quorum X\n", "line 3: no line above defines X"),
        (f"quorum W\n{W}", "line 1: no line above defines W"),
        (f"{W}quorum W\nquorum W\n", "line 4: there is a quorum already"),
        (f"{W}quorum none\nquorum W\n", "line 4: there is a quorum already"),
        (f"{W}quorum W V\n", "line 3: the quorum is one name"),
        ("log\n", "line 1: a log has a key"),
        (f"log L {LOG}\n", "line 1: this is not a verifier key"),
        (f"log {LOG} url more\n", "line 1: a log has a key"),
        (f"log {X1}\n", "line 1: this is not a verifier key"),
        (f"log {LOG}\nlog {LOG} url\n", "line 2: another log has this key"),
        ("witness W\n", "line 1: a witness has a name"),
        (f"witness W {X1} url more\n", "line 1: a witness has a name"),
        (f"witness {X1} W\n", "line 1: this is not a witness's key"),
        (f"witness W {LOG}\n", "line 1: this is not a witness's key"),
        (f"witness W {X1[:-1]}\n", "line 1: this is not a witness's key"),
        (f"witness none {X1}\n", "line 1: the name none is taken"),
        (f"{W}witness W {X3}\n", "line 3: there is a witness or group W"),
        (f"{W}witness U {X1}\n", "line 3: another witness has this key"),
        (f"{W}witness U {KEYS[0]._replace(name='other').vkey}\n", "line 3: another witness"),
        (f"{W}group W any V\n", "line 3: there is a witness or group W"),
        (f"{W}group none any V\n", "line 3: the name none is taken"),
        (f"{W}group G any\n", "line 3: a group has a name"),
        (f"{W}group G any none\n", "line 3: no line above defines the member none"),
        (f"{W}group G any G\n", "line 3: no line above defines the member G"),
        (f"{W}group G any W W\n", "line 3: W is a member already"),
        (f"{W}group G any W\ngroup H any W\n", "line 4: W is a member already"),
        (f"{W}group G 0 W V\n", "line 3: a group of 2 needs"),
        (f"{W}group G 3 W V\n", "line 3: a group of 2 needs"),
        (f"{W}group G 01 W V\n", "line 3: a group of 2 needs"),
        (f"{W}group G +1 W V\n", "line 3: a group of 2 needs"),
        (f"{W}group G most W V\n", "line 3: a group of 2 needs"),
        (f"{W}group G \u0661 W V\n", "line 3: a group of 2 needs"),
        ("#" * (MAX_POLICY_BYTES + 1), "larger than 512 KiB"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        parse_policy(text.encode())


def test_a_key_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(PolicyError, match="line 1: keys and addresses are in UTF-8"):
        parse_policy(b"witness W \xff" + X1.encode() + b"\nquorum W\n")


def test_a_policy_has_an_end() -> None:
    logs = [SigningKey("log", bytes([number]) * 32).verifier for number in range(65)]
    with pytest.raises(PolicyError, match="line 65: there are more than 64 logs"):
        parse_policy("".join(f"log {format_vkey(log)}\n" for log in logs).encode())
