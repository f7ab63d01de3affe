"""Rows as CSV that a spreadsheet opens safely: a cell that begins like a formula gets an apostrophe."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

# ASVS 1.2.10. Spreadsheets skip white space before looking for the sign, and take full-width forms too.
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def safe(cell: object) -> str:
    """Return a cell as text that no spreadsheet runs."""
    text = "" if cell is None else str(cell)
    return "'" + text if _FORMULA.match(text) else text


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yield a CSV file piece by piece (RFC 4180, UTF-8)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for count, row in enumerate(rows):
        writer.writerow([safe(cell) for cell in row])
        if count % 200 == 0:
            yield _take(buffer)
    yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
