"""Sheet of many recipients: read from CSV, checked row by row before anything is sent (pure but for lists).

The first line names the columns: ``to``, and one for each value (``message_templates.form``), or ``message``
for a text. What spreadsheets do to a file is understood: semicolons or tabs, a line ``sep=``, a byte order
mark, UTF-16; what they do to numbers (``1.41555E+10``) cannot be undone and is said.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import Invalid, invalid
from core.json import character_problem
from messaging.compose.approved import Approved
from messaging.compose.drafts import TEXT_LONGEST, FilledTemplate, Text
from messaging.compose.written_numbers import read_number
from messaging.message_templates import form as template_form
from messaging.message_templates.lint import Finding, lint_rows
from messaging.message_templates.previews import Preview
from messaging.models import Template

TO = ("to", "phone", "number", "recipient")
TEXT = ("message", "text", "body")
BYTES_MOST = 4 * 1024 * 1024
CELL_LONGEST = 4_096
COLUMNS_MOST = 100
NO_TEXT = "This is no text file. Save the table as CSV (UTF-8)."
NOT_UTF8 = (
    "The letters of this file cannot be read for sure, since it is neither UTF-8 nor UTF-16. "
    "In Excel save it as “CSV UTF-8”, elsewhere choose UTF-8, and upload it again."
)
#: a first line for Excel alone, which names the separator
_SEPARATOR = re.compile(r"[\ufeff\r\n]*\"?sep=([,;\t|])\"?[,;\t]*\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file holds: its headings and rows, each row with its line number (the heading is line 1)."""

    columns: list[str]
    rows: list[tuple[int, list[str]]]


@dataclass(slots=True)
class Line:
    """One row after the check. ``what`` None: it cannot be sent at all."""

    number: int
    to: str
    findings: list[Finding] = field(default_factory=list)
    preview: Preview | None = None
    what: FilledTemplate | Text | None = None

    @property
    def ok(self) -> bool:
        """Tell whether the row can be sent."""
        return not any(finding.is_error for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a table: its lines, and headings that nothing reads."""

    lines: list[Line]
    unused: list[str]

    @property
    def good(self) -> list[Line]:
        """The rows that can be sent."""
        return [line for line in self.lines if line.ok]

    @property
    def faulty(self) -> list[Line]:
        """The rows that cannot."""
        return [line for line in self.lines if not line.ok]

    @property
    def doubtful(self) -> list[Line]:
        """Rows that can be sent but look wrong."""
        return [line for line in self.lines if line.ok and line.findings]


def decoded(raw: bytes) -> str:
    """Return a file's text. Raises ``Invalid`` (field ``file``) for what is no text."""
    if len(raw) > BYTES_MOST:
        raise invalid("file", f"The file is larger than {BYTES_MOST // 1024 // 1024} MB.")
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        # Which of the old encodings it is cannot be told, and a wrong guess is a name that nobody has.
        if b"\0" in raw:
            raise invalid("file", NO_TEXT) from None
        raise invalid("file", NOT_UTF8) from None
    if character_problem(text) is not None:
        raise invalid("file", NO_TEXT)
    return text


def read(text: str, *, most: int) -> Sheet:
    """Read a table of at most ``most`` rows. Raises ``Invalid`` (field ``file``)."""
    named = _SEPARATOR.match(text)
    above = named[0].count("\n") if named else 0
    text = text[named.end() :] if named else text
    first = text.lstrip("\ufeff\r\n").partition("\n")[0]
    separator = named[1] if named else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=separator)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((reader.line_num + above, [cell.strip() for cell in cells]))
            if len(rows) > most + 1:
                raise invalid(
                    "file", f"The table has more than {most:,} rows, which is what your plan sends at once."
                )
    except csv.Error as error:
        raise invalid("file", f"The table cannot be read: {error}.") from None
    if len(rows) < 2:
        raise invalid("file", "The table needs a line of headings and at least one row below it.")
    columns = [name.strip().lower() for name in rows[0][1]]
    if len(columns) > COLUMNS_MOST:
        raise invalid("file", f"The table has more than {COLUMNS_MOST} columns.")
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise invalid("file", f"Two columns have the same heading: {', '.join(sorted(twice))}.")
    if not any(name in TO for name in columns):
        raise invalid("file", f"One column must be called to; there are: {', '.join(columns)[:200]}.")
    return Sheet(columns, rows[1:])


def check(sheet: Sheet, template: Template | None, parts: Approved | None) -> Report:
    """Check every row against a template, or as texts when there is none."""
    to_column = next(name for name in TO if name in sheet.columns)
    found: list[Line] = []
    seen: dict[str, int] = {}
    cells_of: list[dict[str, str]] = []
    for number, cells in sheet.rows:
        values = dict(zip(sheet.columns, cells, strict=False))
        line = Line(number, values.get(to_column, ""))
        _check_recipient(line, seen)
        if len(cells) > len(sheet.columns):
            line.findings.append(
                _error("too_many_cells", "", "The row has more cells than there are headings.")
            )
        if any(len(cell) > CELL_LONGEST for cell in cells):
            line.findings.append(
                _error("cell_too_long", "", f"A cell has more than {CELL_LONGEST} characters.")
            )
        found.append(line)
        cells_of.append(values)
    if template is not None and parts is not None:
        used = _as_templates(found, cells_of, template, parts)
    else:
        used = _as_texts(found, cells_of, sheet.columns)
    unused = [name for name in sheet.columns if name and name not in {to_column, *used}]
    return Report(found, unused)


def _check_recipient(line: Line, seen: dict[str, int]) -> None:
    try:
        digits = read_number(line.to)
    except Invalid as why:
        line.findings.append(_error(why.code, "to", why.fields[0].message))
        return
    if digits in seen:
        line.findings.append(_error("twice", "to", f"The same number stands in line {seen[digits]}."))
    else:
        seen[digits] = line.number
        line.to = digits


def _as_templates(
    found: Sequence[Line], cells_of: Iterable[Mapping[str, str]], template: Template, parts: Approved
) -> set[str]:
    wanted = template_form.asks(parts, FilledTemplate("", ""))
    whats = [
        template_form.filled(template, parts, {ask.key: cells.get(ask.column.lower(), "") for ask in wanted})
        for cells in cells_of
    ]
    rows = lint_rows(parts, whats, is_authentication=template.category == "AUTHENTICATION")
    for line, what, row in zip(found, whats, rows, strict=True):
        line.what, line.preview = what, row.preview
        line.findings += row.findings
    return {ask.column.lower() for ask in wanted}


def _as_texts(
    found: Sequence[Line], cells_of: Iterable[Mapping[str, str]], columns: Sequence[str]
) -> set[str]:
    column = next((name for name in TEXT if name in columns), "")
    if not column:
        raise invalid("file", "Without a template one column must be called message.")
    for line, cells in zip(found, cells_of, strict=True):
        text = cells.get(column, "")
        if not text:
            line.findings.append(_error("empty", column, "The message is empty."))
        elif len(text) > TEXT_LONGEST:
            line.findings.append(_error("too_long", column, f"More than {TEXT_LONGEST} characters."))
        line.what = Text(text)
    return {column}


def _error(code: str, param: str, message: str) -> Finding:
    return Finding("error", code, param, message)
