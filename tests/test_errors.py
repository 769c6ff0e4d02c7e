import pytest

from kc_jax.errors import one_line


@pytest.mark.parametrize("text, line", [
    ("photos/é 鳥 🐦\u3000.jpg", "photos/é 鳥 🐦\u3000.jpg"),
    ("a\nb\r\tc\x1b[0m", "a\\nb\\r\\tc\\x1b[0m"),
    ("half \udcff, end \u2028", "half \\udcff, end \\u2028"),
])
def test_what_would_end_a_line_is_escaped(text, line):
    assert one_line(text) == line
    one_line(text).encode()
