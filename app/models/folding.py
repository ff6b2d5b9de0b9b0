"""Names as a search compares them: without case, accents and ligatures, alike on each database."""

import unicodedata

_SIGNS = str.maketrans({**dict.fromkeys("‘’ʼ´`", "'"), **dict.fromkeys("‐‑–—", "-")})
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h"}
)
"""Those that Unicode does not take apart (NFKD), as people write them who lack the key."""

_OVERLAY, _LAST_OF_LETTERS = 1, 9


def fold(text: str) -> str:
    """`text` as it is compared: `Zoë Ångström` → `zoe angstrom`, `STRASSE`, `Straße` → `strasse`.

    May be longer than `text` (`ß`, `ﷺ`), and empty for accents alone.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_SIGNS))
    plain = unicodedata.normalize("NFKD", plain.casefold())
    bare = "".join(char for char in plain if not _is_accent(char))
    return unicodedata.normalize("NFC", " ".join(bare.translate(_LETTERS).split()))


def _is_accent(char: str) -> bool:
    """Whether it is a mark over or through a letter; not a sign that makes another letter of it,
    as in the scripts of India (combining classes 7 and 9) and Japan (8).
    """
    kind = unicodedata.combining(char)
    return kind == _OVERLAY or kind > _LAST_OF_LETTERS
