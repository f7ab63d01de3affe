"""CSV that a spreadsheet opens safely: what begins like a formula gets an apostrophe.

Which character separates cells is the reader's choice: a spreadsheet of a country that writes 1,5 cuts at
semicolons, others at tabs, and to them our quotes in the middle of a line mean nothing. So formulas are
looked for behind each of these, inside of a cell, too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

# ASVS 1.2.10. Spreadsheets skip white space before looking for the sign, and take full-width forms too.
_SIGN = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"[\s\ufeff]*{_SIGN}")
_INSIDE = re.compile(rf"([,;|\t\r\n\v\f\x85\u2028\u2029][\s\ufeff\"']*)(?={_SIGN})")


MARK = "\ufeff"


def safe(cell: object) -> str:
    """Return a cell as text that no spreadsheet runs, whichever character it cuts lines at."""
    text = "" if cell is None else str(cell)
    return ("'" if _FORMULA.match(text) else "") + _INSIDE.sub(r"\1'", text)


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yield a CSV file piece by piece (RFC 4180, UTF-8 with a mark, without which Excel guesses another)."""
    buffer = io.StringIO()
    buffer.write(MARK)
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
