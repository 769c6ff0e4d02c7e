import json

import pytest

from kc_jax import tables


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_gives_columns_and_rows(tmp_path):
    path = write(tmp_path / "t.csv", '\ufeffa,b\n1,"x, ""y""\nz"\n\n2\n3,é,,\n')
    assert tables.read_csv(path) == (["a", "b"], [
        {"a": "1", "b": 'x, "y"\nz'}, {"a": "2", "b": None}, {"a": "3", "b": "é"},
    ])


@pytest.mark.parametrize("content, words", [
    ("a,b\n1,2\n1,2,3\n", "^row 2: 3 cells for 2 columns; put a cell that has a comma between quo"),
    ('a,b\n1,2\n1,"2\n', "^row 2: unexpected end of data"),
    ('a,b\n1,"2"3\n', "^row 1: "),
    ("a,b\n1,2\n1,\0\n", "^row 2: a cell has a byte of 0"),
    (f"a,b\n1,{'x' * 200_000}\n", "^row 1: field larger than field limit"),
    ("a,b,a\n", "there are two columns 'a'; rename one"),
    ("a,b\n1,2\n".encode("utf-16"), "^it is not UTF-8 .*; save it as UTF-8$"),
])
def test_what_is_wrong_with_a_csv_is_named(tmp_path, content, words):
    with pytest.raises(ValueError, match=words):
        tables.read_csv(write(tmp_path / "t.csv", content))


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_a_csv_of_nothing_has_no_rows(tmp_path, content):
    assert tables.read_csv(write(tmp_path / "t.csv", content))[1] == []


def test_lines_of_json_give_objects(tmp_path):
    rows = [{"a": 1, "b": ["é", None]}, {"c": "\u00e9"}]
    text = "\ufeff" + "\n\n".join(json.dumps(row) for row in rows)
    assert tables.read_json_lines(write(tmp_path / "t.jsonl", text)) == rows


@pytest.mark.parametrize("line, words", [
    ("{", "^line 2: Expecting"), ("[1]", "^line 2: a line is not an object"),
    (b'{"a": "\xff"}', "^line 2: 'utf-8' codec can't decode"),
    ('{"a": "\\ud800"}', "^line 2: 'utf-8' codec can't encode"),
    ("[" * 1_000_000, "^line 2: maximum recursion depth"),
    ("9" * 5000, "^line 2: Exceeds the limit"),
])
def test_what_is_wrong_with_lines_of_json_is_named(tmp_path, line, words):
    line = line if isinstance(line, bytes) else line.encode()
    with pytest.raises(ValueError, match=words):
        tables.read_json_lines(write(tmp_path / "t.jsonl", b'{"a": 1}\n' + line + b"\n"))
