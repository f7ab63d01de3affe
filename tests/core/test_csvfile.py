"""CSV files: read back as written, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re

import pytest

from core.csvfile import lines, safe


def read(rows: list[list[object]]) -> list[list[str]]:
    """Write rows and read them back as a program does."""
    raw = b"".join(lines(["a", "b"], rows))
    assert raw.startswith(b"\xef\xbb\xbf") and raw.count(b"\xef\xbb\xbfa") == 1, "Excel wants its mark, once"
    text = raw.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "=cmd|' /C calc'!A0",
        " =1+1",
        "\ufeff=1+1",
        "\u00a0=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠x",
        '=HYPERLINK("http://evil.example","x")',
    ],
)
def test_a_cell_that_begins_like_a_formula_gets_an_apostrophe(cell):
    assert safe(cell) == "'" + cell
    assert read([[cell, "x"]])[1][0].startswith("'")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "cell",
    [
        *("a;=1+1", "a;+1", "a;-1", "a;@SUM(A1)", "a; =1", "a;\u00a0=1", 'a;"=1+1"', "a;'=1", "a\t=1+1"),
        *("a|=1", "a,=1", "a\n=1", "a\r\n=1", "a\r=1;=2;;=3", "a;＝1", "a;\ufeff=1", "=1;=2", ";=1", "\t;=1"),
        *('x"\n=1', 'x";"=1', '";=1', 'a;"";"=1"', "a\x0b=1", "a\u2028=1"),
    ],
)
def test_no_cell_becomes_a_formula_whichever_separator_reads_the_file(cell, separator):
    text = b"".join(lines(["a", "b", "c"], [["first, in quotes", cell, "last"], [cell, cell, cell]])).decode()
    for quotes in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quotes):
            for found in row:
                for line in found.splitlines() or [""]:
                    assert not re.match(r"[\s\ufeff\"]*[=+\-@＝＋－＠]", line), (found, text)


@pytest.mark.parametrize("cell", ["\t=1+1", "\r=1+1", "\n=1+1"])
def test_a_cell_that_begins_with_a_separator_is_text_on_both_sides_of_it(cell):
    assert safe(cell) == f"'{cell[0]}'{cell[1:]}"


def test_text_that_only_has_signs_in_it_stays_as_it_is():
    for text in ("a; b = c", "1-2, 3+4", "x@y.example; z@y.example", "10:-)", "a\nb"):
        assert safe(text) == text


@pytest.mark.parametrize(
    "cell", ["", "Hello", "1=1", "a+b", "e@mail.example", "14155552671", "2026-01-01", "'x"]
)
def test_an_ordinary_cell_stays_as_it_is(cell):
    assert safe(cell) == cell


@pytest.mark.parametrize(("value", "text"), [(None, ""), (5, "5"), (0, "0"), (True, "True"), (-3, "'-3")])
def test_other_values_become_text(value, text):
    assert safe(value) == text


@pytest.mark.parametrize("cell", ['say "hi"', "a,b", "two\nlines", "two\r\nlines", "漢字 😀", "semi;colon"])
def test_a_cell_comes_back_as_it_went_in(cell):
    assert read([[cell, cell]]) == [["a", "b"], [cell, cell]]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 1001])
def test_no_row_is_lost_or_doubled_at_the_edges_of_pieces(count):
    found = read([[index, "x"] for index in range(count)])
    assert [row[0] for row in found[1:]] == [str(index) for index in range(count)]


def test_the_file_is_written_piece_by_piece():
    pieces = lines(["a"], ([index] for index in range(10**9)))
    assert next(pieces) and next(pieces)
    pieces.close()
