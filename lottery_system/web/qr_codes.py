"""QR codes of addresses, for posters."""

import segno


def qr_code(address: str) -> str:
    """Draw an address as a QR code (ISO/IEC 18004), an SVG to stand in a page."""
    drawing: str = segno.make(address, error="m", micro=False).svg_inline(
        scale=5,
        border=2,
        dark="#000",
        light="#fff",
        svgclass="code",
        lineclass=None,
        omitsize=False,
    )
    return drawing
