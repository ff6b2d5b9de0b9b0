"""Addresses as QR codes."""

import segno


def drawn(address: str) -> str:
    """In SVG; black on white in any look, or no camera would read it."""
    code = segno.make(address, micro=False, error="m")
    svg: str = code.svg_inline(
        omitsize=True, border=4, dark="#000", light="#fff", svgclass=None, lineclass=None
    )
    return svg
