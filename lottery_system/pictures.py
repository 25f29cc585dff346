"""Image uploads: decode untrusted pictures and re-encode them as WebP in two sizes.

Only pixels are kept: no metadata, GPS position, colour profile or appended data. A file may declare
more pixels than fit into memory, or take very long to decode. So the declared size is checked
first, only Pillow's readers of three formats are used, and each process decodes one picture at a
time.
"""

from hashlib import sha256
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from lottery_system.errors import LotteryError
from lottery_system.runtime.offload import Offload
from lottery_system.text_input import BadText, enforce_line

#: bytes of a file
LARGEST_FILE = 5_000_000
#: pixels of a picture
MOST_PIXELS = 40_000_000
#: passes over a JPEG; cameras and programs make up to about ten. A file of some megabytes can have
#: a hundred thousand, each of which goes over the whole picture. What phones append to a photo may
#: look like the beginning of some more, by chance
MOST_SCANS = 200
JPEG, START_OF_SCAN = b"\xff\xd8", b"\xff\xda"
ALTERNATIVE_LENGTH = 200

FORMATS = ("JPEG", "PNG", "WEBP")
#: pixels of the longer side at most, large and small: pictures fit a card on screens of two and of
#: one dots a pixel; logos fit beside the title
OF_PICTURE = (1200, 480)
OF_LOGO = (480, 112)
QUALITY = 80
#: effort of the WebP encoder, 0 to 6
EFFORT = 4

#: greyscale of 16 bits, which Pillow would clip at 255 instead of scaling
MODES_OF_16_BITS = ("I", "I;16", "I;16L", "I;16B", "I;16N")

# As for passwords: at lower priority than pages. Decoding the largest takes two seconds and 300 MB.
_offload = Offload(threads=1, niceness=10)


class BadPicture(LotteryError):
    """An uploaded file is not an acceptable picture."""


class Rendition(NamedTuple):
    """A picture in one size."""

    #: pixels
    width: int
    height: int
    content: bytes


class Encoded(NamedTuple):
    """A picture as it is stored, in two sizes."""

    large: Rendition
    small: Rendition

    @property
    def digest(self) -> str:
        """Return its id: SHA-256 of the large rendition, in hex."""
        return sha256(self.large.content).hexdigest()


def enforce_alternative(text: str) -> str:
    """Validate a picture's alternative text and return it normalised.

    Raises:
        BadText: with a sentence for the organiser.
    """
    too_long = BadText(
        "The description can be at most %(most)s characters long.", most=ALTERNATIVE_LENGTH
    )
    return enforce_line(text, ALTERNATIVE_LENGTH, too_long)


def encoded(data: bytes, sides: tuple[int, int] = OF_PICTURE) -> Encoded:
    """Decode a file and re-encode it in two sizes, in a thread, one at a time.

    Args:
        data: a JPEG, PNG or WebP.
        sides: pixels of the longer side at most, large and small; nothing is enlarged.

    Raises:
        BadPicture: with a sentence for the organiser.
    """
    if not data:
        raise BadPicture("This file is empty. Choose another one.")
    if len(data) > LARGEST_FILE:
        raise BadPicture("This file is larger than 5 MB. Choose a smaller one.")
    return _offload(_encoded, data, sides)


def _size_of_webp(chunk: bytes) -> tuple[int, int]:
    """Read the size that the first chunk of a WebP declares (RFC 9649 section 2.5 to 2.7)."""
    kind, body = chunk[:4], chunk[8:18].ljust(10, b"\0")
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = (int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width, height


def _demand_few_pixels(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise _too_many_pixels()


def _opened(data: bytes) -> Image.Image:
    """Open a file; Pillow reads only its header.

    Raises:
        BadPicture: it is not a picture, or has too many pixels.
    """
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except UnidentifiedImageError:
        raise BadPicture("Choose a JPEG, PNG or WebP picture.") from None
    except Exception:  # readers raise any kind on malformed headers
        raise _damaged() from None


def _encoded(data: bytes, sides: tuple[int, int]) -> Encoded:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":  # Pillow allocates its pixels on opening
        _demand_few_pixels(_size_of_webp(data[12:]))
    if data.startswith(JPEG) and data.count(START_OF_SCAN) > MOST_SCANS:
        raise _damaged()
    try:
        with _opened(data) as image:
            _demand_few_pixels(image.size)
            large = _decoded(image, sides[0])
        small = large.copy()
        small.thumbnail((sides[1], sides[1]), Image.Resampling.LANCZOS)
        return Encoded(_rendition(large), _rendition(small))
    except LotteryError:
        raise
    except Exception:  # decoders raise any kind, including MemoryError
        raise _damaged() from None


def _decoded(image: Image.Image, side: int) -> Image.Image:
    """Return the first frame, upright, as RGB or RGBA, its sides at most `side` pixels."""
    image.draft("RGB", (side, side))  # decodes a large JPEG at 1/2, 1/4 or 1/8 of its size
    image.load()
    if image.mode in MODES_OF_16_BITS:
        grey = image.convert("I").point(lambda value: value * (1 / 257))
        plain = grey.convert("L")
    elif image.mode in ("P", "PA", "1", "LA", "La", "RGBa"):
        has_holes = image.mode in ("PA", "LA", "La", "RGBa") or "transparency" in image.info
        plain = image.convert("RGBA" if has_holes else "RGB")
    elif "transparency" in image.info:  # one colour is transparent
        plain = image.convert("RGBA")
    else:
        plain = image
    plain.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    upright = ImageOps.exif_transpose(plain)
    return upright.convert("RGBA" if upright.mode == "RGBA" else "RGB")


def _rendition(image: Image.Image) -> Rendition:
    bare = Image.new(image.mode, image.size)  # without the file's metadata
    bare.paste(image)
    written = BytesIO()
    bare.save(written, "WEBP", quality=QUALITY, method=EFFORT)
    return Rendition(bare.width, bare.height, written.getvalue())


def _too_many_pixels() -> BadPicture:
    return BadPicture(
        "This picture has more than 40 million pixels. Make it smaller, then choose it again."
    )


def _damaged() -> BadPicture:
    return BadPicture("This file is damaged, or no picture. Choose another one.")
