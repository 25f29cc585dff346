"""Which mail addresses can be had."""

import pytest

from lottery_system.mail_addresses import BadMailAddress, enforce_mail_address, mail_address_key


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("bob@mail.example", "bob@mail.example"),
        ("  Bob.Miller+lottery@Mail.EXAMPLE ", "Bob.Miller+lottery@mail.example"),
        ("bob@bücher.example", "bob@xn--bcher-kva.example"),
        ("bob@BÜCHER.example", "bob@xn--bcher-kva.example"),
        ("bob@例え.テスト", "bob@xn--r8jz45g.xn--zckzah"),
        ("bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example"),
        ("o'neil@mail.example", "o'neil@mail.example"),
    ],
)
def test_an_address_is_kept_in_the_form_in_which_it_is_written_to(typed: str, stored: str) -> None:
    assert enforce_mail_address(typed) == stored
    assert enforce_mail_address(stored) == stored


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Enter an email address like name@example.org."),
        ("bob", "Enter an email address like"),
        ("@mail.example", "Enter an email address like"),
        ("bob@", "Enter an email address like"),
        ("bob@mail", "isn’t an email address that we can send to"),
        ("bob@mail.example\nBcc: all@mail.example", "isn’t an email address"),
        ("bob@mail.example\r\n", "isn’t an email address"),
        ("\nbob@mail.example", "isn’t an email address"),
        ("bob\x00@mail.example", "isn’t an email address"),
        ("bob@mail.example,eve@mail.example", "isn’t an email address"),
        ("bob@mail.example;eve@mail.example", "isn’t an email address"),
        ("bob@x@mail.example", "isn’t an email address"),
        ("Bob <bob@mail.example>", "isn’t an email address"),
        ('"bob"@mail.example', "isn’t an email address"),
        ("bob@[127.0.0.1]", "isn’t an email address"),
        ("bob..x@mail.example", "isn’t an email address"),
        (".bob@mail.example", "isn’t an email address"),
        ("bob@-mail.example", "isn’t an email address"),
        ("bob@mail..example", "isn’t an email address"),
        ("bob @mail.example", "isn’t an email address"),
        ("b" * 65 + "@mail.example", "isn’t an email address"),
        ("bob@" + "b" * 64 + ".example", "isn’t an email address"),
        ("b" * 288 + "@mail.example", "at most 254 characters"),
        ("böb@mail.example", "plain letters (a to z) before the @"),
        ("bob@fußball.example", "ASCII form, which begins with xn--"),
        ("bob@" + "ü" * 63 + ".example", "isn’t an email address"),
        ("bob@ü..example", "isn’t an email address"),
        ("bob@\ud800.example", "isn’t an email address"),
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(typed: str, says: str) -> None:
    with pytest.raises(BadMailAddress) as error:
        enforce_mail_address(typed)

    assert says in str(error.value)


def test_case_makes_no_other_address() -> None:
    assert mail_address_key("Bob@x.example") == mail_address_key("bob@x.example")
