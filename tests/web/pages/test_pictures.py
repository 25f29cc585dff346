"""Image uploads: which pictures are accepted, how they are stored and served."""

import re
import struct
import zlib
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from config import connections
from config.settings import LONGEST_UPLOAD
from lottery_system import pictures
from lottery_system.models import Lottery, LotteryChange, Picture, SiteChange
from tests.conftest import Cast
from tests.web.conftest import Visitor, csrf_token, text_of

NEW = "/organiser/lotteries/new"
GOOD = {"name": "Spring Raffle", "prize": "A bicycle", "closes_on": "2026-12-24"}
WORDS = "A red bicycle beside a wall"
#: what is appended to a picture, or hidden in it
PAYLOAD = b"<script>alert(1)</script>PK\x03\x04"


def picture(
    mode: str = "RGB", size: tuple[int, int] = (1600, 900), kind: str = "PNG", **options: Any
) -> bytes:
    written = BytesIO()
    Image.new(mode, size, options.pop("colour", 0)).save(written, kind, **options)
    return written.getvalue()


def png_that_says(width: int, height: int) -> bytes:
    """Return a PNG of which there is nothing but a head."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n\0\0\0\r" + head + struct.pack(">I", zlib.crc32(head))
        + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )  # fmt: skip


def webp_that_says(width: int, height: int) -> bytes:
    canvas = b"\0" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0" + canvas + b"\0" * 80


def send(
    visitor: Visitor, data: bytes | None, path: str = NEW, *, field: str = "picture", **fields: Any
) -> TestResponse:
    """Send a form as a browser does, with a file that is called PNG whatever it is."""
    form = {"csrf_token": csrf_token(visitor.get(path)), **fields}
    if data is not None:
        form[field] = FileStorage(BytesIO(data), "picture.png", content_type="image/png")
    boundary, body = encode_multipart(form)  # the client itself would leave files open
    return visitor.client.post(
        path, data=body, content_type=f"multipart/form-data; boundary={boundary}"
    )


def create(visitor: Visitor, data: bytes, session: Session) -> Lottery:
    answer = send(visitor, data, **GOOD, picture_alt=WORDS)
    assert answer.status_code == 303, text_of(answer)
    with session.begin():
        return session.scalars(select(Lottery)).one()


def count(session: Session, model: type) -> int | None:
    with session.begin():
        return session.scalar(select(func.count()).select_from(model))


def addresses(page: TestResponse) -> list[str]:
    return sorted(set(re.findall(r"/pictures/[0-9a-f]{64}-\d+\.webp", page.text)))


def test_a_picture_is_kept_in_two_sizes_and_shown_on_the_card(
    alice: Visitor, bob: Visitor, session: Session
) -> None:
    lottery = create(alice, picture(kind="JPEG"), session)

    page = bob.get("/")
    card = re.search(r'<img class="picture"[^>]*>', page.text)
    assert card
    assert 'loading="lazy"' in card[0]
    assert 'width="1200" height="675"' in card[0]
    assert f'alt="{WORDS}"' in card[0]
    large, small = addresses(page)
    assert (large, small) == tuple(
        f"/pictures/{lottery.picture_digest}-{width}.webp" for width in (1200, 480)
    )
    for address, size in ((large, (1200, 675)), (small, (480, 270))):
        with Image.open(BytesIO(bob.get(address).data)) as shown:
            assert (shown.format, shown.size) == ("WEBP", size)
    assert sha256(bob.get(large).data).hexdigest() == lottery.picture_digest
    assert addresses(alice.get(f"/organiser/lotteries/{lottery.id}")) == [small]


def test_a_picture_may_be_kept_for_ever_and_is_nothing_but_a_picture(
    alice: Visitor, bob: Visitor, stranger: Visitor, session: Session
) -> None:
    create(alice, picture(), session)

    answer = stranger.get(addresses(bob.get("/"))[0])

    assert answer.mimetype == "image/webp"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "name",
    ["x-1200", "0" * 64 + "-1200", "{digest}-99", "{digest}-", "{digest}-x", "{digest}-1200%00"],
)
def test_there_is_no_other_picture(
    alice: Visitor, stranger: Visitor, session: Session, name: str
) -> None:
    digest = create(alice, picture(), session).picture_digest

    answer = stranger.get(f"/pictures/{name.format(digest=digest)}.webp")

    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("change", ["none", "another", "removed"])
def test_a_copy_of_a_lottery_shows_its_picture_unless_it_gets_its_own_or_none(
    alice: Visitor, session: Session, change: str
) -> None:
    source = create(alice, picture(), session)
    path = f"{NEW}?copy={source.id}"
    form = alice.get(path)
    assert addresses(form) == addresses(alice.get(f"/organiser/lotteries/{source.id}"))
    assert f'value="{WORDS}"' in form.text

    refused = send(alice, None, path, name="Spring Raffle", closes_on="2026-12-24")
    assert refused.status_code == 422
    assert addresses(refused) == addresses(form)
    answer = send(
        alice,
        picture(colour=9) if change == "another" else None,
        path,
        **({"remove_picture": "y"} if change == "removed" else {}),
        name="Autumn Raffle",
        closes_on="2026-12-24",
        picture_alt=WORDS,
    )

    assert answer.status_code == 303, text_of(answer)
    with session.begin():
        copy = session.scalars(select(Lottery).where(Lottery.name == "Autumn Raffle")).one()
        first = session.get_one(Lottery, source.id)
    is_same = copy.picture_digest == first.picture_digest
    assert (is_same, copy.picture_digest is None) == {
        "none": (True, False), "another": (False, False), "removed": (False, True),
    }[change]  # fmt: skip
    assert first.picture_alt == WORDS
    assert alice.client.post(f"{NEW}?copy=999", data={}).status_code in (400, 404)


def test_one_picture_is_kept_once(alice: Visitor, session: Session) -> None:
    lottery = create(alice, picture(), session)

    send(alice, picture(), **{**GOOD, "name": "Autumn Raffle"}, picture_alt="The same")

    with session.begin():
        digests = session.scalars(select(Lottery.picture_digest)).all()
    assert digests == [lottery.picture_digest] * 2
    assert count(session, Picture) == 1


def test_a_picture_is_changed_and_removed_and_each_change_is_written_down(
    alice: Visitor, bob: Visitor, stranger: Visitor, cast: Cast, session: Session
) -> None:
    lottery = create(alice, picture(), session)
    path = f"/organiser/lotteries/{lottery.id}"
    before = addresses(bob.get("/"))
    words = {**GOOD, "picture_alt": "Another bicycle"}

    assert send(alice, None, path, **words).status_code == 303
    assert addresses(bob.get("/")) == before
    assert send(alice, picture("L", colour=200), path, **words).status_code == 303
    assert not set(addresses(bob.get("/"))) & set(before)
    assert send(alice, None, path, **words, remove_picture="y").status_code == 303

    assert addresses(bob.get("/")) == []
    assert [stranger.get(each).status_code for each in before] == [404, 404]  # shown nowhere now
    with session.begin():
        kept = session.scalars(select(LotteryChange).order_by(LotteryChange.id)).all()
        changed = [(each.picture_alt, each.changed_by) for each in kept]
    me = cast.alice.id
    assert changed == [(WORDS, me), ("Another bicycle", me), ("Another bicycle", me), (None, me)]
    told = text_of(alice.get("/organiser/changes"))
    for said in ("picture removed", "picture changed", "described as “Another bicycle”"):
        assert said in told
    assert count(session, Picture) == 2


def test_an_edit_of_name_and_picture_is_one_change(alice: Visitor, session: Session) -> None:
    lottery = create(alice, picture(), session)
    fields = {**GOOD, "name": "Summer Raffle", "picture_alt": "Another bicycle"}

    send(alice, picture("L", colour=200), f"/organiser/lotteries/{lottery.id}", **fields)

    with session.begin():
        kept = session.scalars(select(LotteryChange).order_by(LotteryChange.id)).all()
        changed = [(each.name, each.picture_alt) for each in kept]
    assert changed == [("Spring Raffle", WORDS), ("Summer Raffle", "Another bicycle")]


@pytest.mark.parametrize(
    "statement", ["UPDATE pictures SET width = 1", "DELETE FROM pictures", "UPDATE lotteries SET"
    " picture_alt = NULL", "UPDATE lotteries SET picture_digest = 'nothing'"]
)  # fmt: skip
def test_the_database_keeps_pictures_and_what_is_said_of_them(
    alice: Visitor, session: Session, statement: str
) -> None:
    create(alice, picture(), session)

    with pytest.raises(DatabaseError), session.begin():
        session.execute(text(statement))


GOOD_ONES = {
    "CMYK": lambda: picture("CMYK", kind="JPEG"),
    "16 bit": lambda: picture("I;16"),
    "a palette": lambda: picture("P"),
    "black and white": lambda: picture("1"),
    "grey with holes": lambda: picture("LA"),
    "holes": lambda: picture("RGBA", kind="WEBP"),
    "tiny": lambda: picture(size=(1, 1)),
    "a line": lambda: picture(size=(9000, 1)),
    "as large as may be": lambda: picture("L", (8000, 5000)),
    "a payload appended": lambda: picture(kind="JPEG") + PAYLOAD,
    "a payload in a comment": lambda: picture(kind="JPEG", comment=PAYLOAD),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", GOOD_ONES)
def test_pictures_of_all_kinds_are_taken_and_nothing_but_their_pixels(
    alice: Visitor, bob: Visitor, session: Session, name: str
) -> None:
    create(alice, GOOD_ONES[name](), session)

    for address in addresses(bob.get("/")):
        data = bob.get(address).data
        assert PAYLOAD[:20] not in data
        with Image.open(BytesIO(data)) as shown:
            shown.load()
            assert shown.mode in ("RGB", "RGBA")
            assert max(shown.size) <= 1200


def shown_as(data: bytes) -> Image.Image:
    return Image.open(BytesIO(pictures.encoded(data).large.content)).convert("RGB")


def test_greys_of_16_bits_stay_as_bright_as_they_are() -> None:
    level = shown_as(picture("I;16", (20, 20), colour=0x8080)).getpixel((10, 10))

    assert isinstance(level, tuple)
    assert all(abs(each - 128) <= 2 for each in level)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_stands_upright_and_tells_nothing_of_where_it_was_taken(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010F] = "A camera"
    taken = pictures.encoded(picture(size=(400, 200), kind=kind, exif=exif))

    for each in taken:
        with Image.open(BytesIO(each.content)) as shown:
            assert shown.size == (each.width, each.height) == (200, 400)
            assert not shown.getexif()
            assert not {"exif", "xmp", "icc_profile", "comment"} & shown.info.keys()
            assert b"A camera" not in each.content


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_a_picture_that_moves_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
    written = BytesIO()
    frames[0].save(written, kind, save_all=True, append_images=frames[1:])

    shown = shown_as(written.getvalue())

    red, _, blue = shown.getpixel((25, 25))  # type: ignore[misc]
    assert (red > 200, blue < 50) == (True, True)
    assert getattr(shown, "n_frames", 1) == 1


TOO_MANY = "more than 40 million pixels"
DAMAGED = "This file is damaged, or no picture."
NO_PICTURE = "Choose a JPEG, PNG or WebP picture."
BAD_ONES = {
    "nothing in it": (b"", "This file is empty."),
    "a byte too many": (b"\x89PNG" + b"\0" * 4_999_997, "This file is larger than 5 MB."),
    "an SVG called PNG": (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", NO_PICTURE),
    "a GIF": (picture("P", kind="GIF"), NO_PICTURE),
    "a TIFF": (picture(kind="TIFF"), NO_PICTURE),
    "a page": (b"<!doctype html><script>alert(1)</script>" + picture(), NO_PICTURE),
    "20,000 by 20,000": (png_that_says(20_000, 20_000), TOO_MANY),
    "10,000 by 10,000": (png_that_says(10_000, 10_000), TOO_MANY),
    "a row too many": (png_that_says(8000, 5001), TOO_MANY),
    "WebP, 16,384 by 16,384": (webp_that_says(16_384, 16_384), TOO_MANY),
    "truncated JPEG": (picture(kind="JPEG")[:-5000], DAMAGED),
    "truncated PNG": (picture()[:-60], DAMAGED),
    "truncated WebP": (picture(kind="WEBP", lossless=True, colour=7)[:60], DAMAGED),
    "scans without end": (b"\xff\xd8" + b"\xff\xda\0\x08" * 1000, DAMAGED),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", BAD_ONES)
def test_a_bad_picture_is_refused_in_a_sentence_and_nothing_typed_is_lost(
    alice: Visitor, session: Session, name: str
) -> None:
    data, says = BAD_ONES[name]

    answer = send(alice, data, **GOOD, picture_alt=WORDS)

    assert answer.status_code == 422
    error = re.search(r'<p class="error" id="picture-error">([^<]*)', answer.text)
    assert error
    assert says in error[1]
    for value in (GOOD["name"], GOOD["closes_on"], WORDS):
        assert f'value="{value}"' in answer.text
    assert count(session, Lottery) == count(session, Picture) == 0


def test_what_declares_too_much_is_refused_before_room_is_made_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("was decoded")

    monkeypatch.setattr(pictures, "_decoded", decode)
    for name in ("20,000 by 20,000", "a row too many"):
        with pytest.raises(pictures.BadPicture, match="40 million"):
            pictures.encoded(BAD_ONES[name][0])
    monkeypatch.setattr(pictures, "_opened", decode)  # where Pillow makes room for a WebP
    with pytest.raises(pictures.BadPicture, match="40 million"):
        pictures.encoded(webp_that_says(16_384, 16_384))


def test_a_picture_is_described_in_words_that_fit(alice: Visitor, session: Session) -> None:
    for words, says in (
        ("", "Describe the picture in a few words"),
        (" ", "Describe the picture in a few words"),
        ("x" * 201, "The description can be at most 200 characters long."),
        ("A bike\u202e", "invisible characters"),
    ):
        answer = send(alice, picture(), **GOOD, picture_alt=words)

        assert answer.status_code == 422
        assert says in text_of(answer)
        assert re.search(r'<input[^>]*aria-invalid="true"[^>]* id="picture_alt"', answer.text)
    assert count(session, Lottery) == count(session, Picture) == 0


def test_words_without_a_picture_are_nothing(alice: Visitor, session: Session) -> None:
    answer = send(alice, None, **GOOD, picture_alt=WORDS)

    assert answer.status_code == 303
    with session.begin():
        assert session.scalars(select(Lottery.picture_alt)).all() == [None]


def test_a_picture_of_a_lottery_that_is_refused_is_not_kept(
    alice: Visitor, big_chance: Lottery, session: Session
) -> None:
    for given in ({"name": big_chance.name}, {"closes_on": "2026-11-01"}):
        answer = send(alice, picture(), **{**GOOD, **given}, picture_alt=WORDS)
        assert answer.status_code == 422

    assert count(session, Picture) == 0


def test_a_participant_uploads_nothing(bob: Visitor, session: Session) -> None:
    form = {
        "csrf_token": csrf_token(bob.get("/account")), **GOOD, "picture_alt": WORDS,
        "picture": (BytesIO(picture()), "picture.png"),
    }  # fmt: skip

    answer = bob.client.post(NEW, data=form, content_type="multipart/form-data")

    assert (answer.status_code, count(session, Picture)) == (403, 0)


def test_the_logo_stands_beside_the_title_until_it_is_removed(
    alice: Visitor, stranger: Visitor, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lottery_system.site_cache.MOMENT", 0)
    page = "/organiser/site"
    refused = send(alice, b"no picture", page, field="logo", title="Fair")
    assert refused.status_code == 422
    assert NO_PICTURE in text_of(refused)
    assert 'value="Fair"' in refused.text

    taken = send(alice, picture("RGBA", (300, 100)), page, field="logo", title="Fair")
    assert taken.status_code == 303

    (logo,) = addresses(stranger.get("/login"))
    with Image.open(BytesIO(stranger.get(logo).data)) as shown:
        assert shown.size == (112, 37)
    assert send(alice, None, page, title="Fair").status_code == 303
    assert addresses(stranger.get("/login")) == [logo]
    assert send(alice, None, page, title="Fair", remove_logo="y").status_code == 303
    assert addresses(stranger.get("/login")) == []
    assert stranger.get(logo).status_code == 404
    assert count(session, SiteChange) == 2


# --- how much comes in -------------------------------------------------------------------------


def test_only_forms_with_a_file_may_be_large(
    app: Flask, alice: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the connections know them by the same addresses."""
    large = {
        rule.endpoint for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
        and hasattr(app.view_functions[rule.endpoint], "longest_field")
    }  # fmt: skip
    assert large == {"organiser.create", "organiser.update", "site_form.save"}
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if "POST" in (rule.methods or ()):
                path = rule.build(dict.fromkeys(rule.arguments, 7))[1]  # type: ignore[index]
                assert bool(connections.UPLOADS.search(path)) == (rule.endpoint in large), path

    assert send(alice, b"\0" * 70_000, "/account/language", language="de").status_code == 413
    assert send(alice, b"\0" * LONGEST_UPLOAD, **GOOD).status_code == 413
    monkeypatch.setattr(pictures, "LARGEST_FILE", 10)
    assert send(alice, b"\0" * (LONGEST_UPLOAD - 2000), **GOOD).status_code == 422
