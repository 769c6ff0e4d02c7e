"""What a person can mend: errors that end the command in one line, not in a traceback."""


import unicodedata

# What would end a line, or cannot be written: control characters, separators, halves of characters.
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


class UserError(Exception):
    """Names the culprit, what was expected, and the remedy."""


def one_line(text: str) -> str:
    """Escapes what a file's name may have and a line of text may not, as in ``a\\nb.jpg``."""
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _UNSEEN else c
        for c in text
    )
