"""``lint_templates``: checks the rows of a CSV file against templates; one line per fault, exit code 1.

Columns: ``template`` and ``language`` (or the options), ``header_media_url``, ``header.<placeholder>``,
``button.<index>.<member>`` (``url_suffix``, …, as in a send), ``limited_time_offer``, ``carousel``;
every other column is a placeholder of the body. ``to`` and columns that begin with ``_`` are not looked at;
an empty cell is no value. ``action`` and the two objects are JSON.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account
from core.errors import Refusal
from messaging.api.lint_shapes import finding_object, known, missing, state_of
from messaging.api.v1.template_shapes import read_values
from messaging.compose import approved
from messaging.message_templates import lint

_BUTTON = re.compile(r"button\.([0-9]{1,2})\.([a-z_]{1,30})")
_OBJECTS = ("limited_time_offer", "carousel")
_OTHER = ("template", "language", "to")
#: the largest cell that is read; a text of a template has 1,024 characters
_CELL = 100_000


class Command(BaseCommand):
    """Exit code 0: nothing would be refused; 1: something would; 2: the file could not be checked."""

    help = __doc__
    requires_system_checks: list[str] = []  # with --templates it needs neither database nor secrets

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("file", help="the CSV file, in UTF-8")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--account", help="the account whose templates are meant")
        source.add_argument("--templates", help="a JSON file with templates as Meta or GET /v1 lists them")
        parser.add_argument("--template", help="for rows without a column template")
        parser.add_argument("--language", help="for rows without a column language")
        parser.add_argument("--strict", action="store_true", help="let warnings fail, too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the faults and set the exit code."""
        books: _Listed | _Stored = (
            _Listed(options["templates"]) if options["templates"] else _Stored(options["account"])
        )
        errors = warnings = rows = 0
        for line, cells in _rows(Path(options["file"])):
            rows += 1
            name = cells.get("template") or options["template"] or ""
            language = cells.get("language") or options["language"] or ""
            for finding in _check(books, name, language, cells):
                shown = finding_object(finding)
                where = f" {finding.param}" if finding.param else ""
                self.stdout.write(
                    f"{options['file']}:{line}: {finding.severity}{where} {shown['code']}: {finding.message}"
                )
                errors += finding.is_error
                warnings += not finding.is_error
        self.stderr.write(f"{rows} rows, {errors} errors, {warnings} warnings")
        if errors or (warnings and options["strict"]):
            sys.exit(1)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with the number of its last line."""
    csv.field_size_limit(_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = ";" if ";" in first and "," not in first else ","
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            for row in reader:
                if None in row:
                    raise CommandError(f"{path}:{reader.line_num}: more cells than columns", returncode=2)
                yield reader.line_num, {name: value for name, value in row.items() if value}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path}: {error}", returncode=2) from None


def _check(
    books: _Listed | _Stored, name: str, language: str, cells: Mapping[str, str]
) -> Iterator[lint.Finding]:
    if not name or not language:
        message = "Say which: fill the columns template and language, or give --template and --language."
        yield lint.Finding("error", "template_not_found", "template.name", message)
        return
    parts, findings, is_authentication = books.find(name, language)
    yield from findings
    if parts is None:
        return
    try:
        what = read_values(_values(cells), name, language)
    except Refusal as fault:
        yield lint.as_finding(fault)
    else:
        yield from lint.findings(parts, what, is_authentication=is_authentication)


def _values(cells: Mapping[str, str]) -> dict[str, Any]:
    """Write a row as a send has it."""
    values: dict[str, Any] = {"parameters": {}, "header_parameters": {}}
    buttons: dict[int, dict[str, Any]] = {}
    for column, cell in cells.items():
        button = _BUTTON.fullmatch(column)
        if button:
            index, member = int(button[1]), button[2]
            entry = buttons.setdefault(index, {"index": index})
            entry[member] = _object(cell) if member == "action" else cell
        elif column in _OBJECTS:
            values[column] = _object(cell)
        elif column == "header_media_url":
            values[column] = cell
        elif column.startswith("header."):
            values["header_parameters"][column.removeprefix("header.")] = cell
        elif column not in _OTHER and not column.startswith("_"):
            values["parameters"][column] = cell
    return values | {"buttons": list(buttons.values())}


def _object(cell: str) -> Any:
    """Read JSON; what is none stays text, and is then refused as such."""
    try:
        return json.loads(cell)
    except ValueError:
        return cell


_Found = tuple[approved.Approved | None, list[lint.Finding], bool]


class _Stored:
    """Templates of an account here."""

    def __init__(self, account_id: str) -> None:
        try:
            self._account = Account.objects.get(pk=account_id)
        except (Account.DoesNotExist, ValidationError):
            raise CommandError("No account has this id.", returncode=2) from None
        self._seen: dict[tuple[str, str], _Found] = {}

    def find(self, name: str, language: str) -> _Found:
        """Return a template's parts, what stands against it, and whether it is for passwords."""
        if (name, language) not in self._seen:
            row = known(self._account, name, language, None)
            found: _Found = (None, [missing(self._account, name, language)], False)
            if row is not None:
                parts = approved.read(row.components, row.parameter_format)
                found = (parts, state_of(row), row.category == "AUTHENTICATION")
            self._seen[name, language] = found
        return self._seen[name, language]


class _Listed:
    """Templates in a file: a list, or an object whose ``data`` is one."""

    def __init__(self, path: str) -> None:
        try:
            document = json.loads(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            raise CommandError(f"{path}: {error}", returncode=2) from None
        listed = document.get("data") if isinstance(document, dict) else document
        if not isinstance(listed, list):
            raise CommandError(f"{path}: no list of templates", returncode=2)
        self._templates = [one for one in listed if isinstance(one, dict)]

    def find(self, name: str, language: str) -> _Found:
        """Return a template's parts, what stands against it, and whether it is for passwords."""
        alike = [one for one in self._templates if one.get("name") == name]
        for one in alike:
            if one.get("language") == language:
                parts = approved.read(one.get("components"), str(one.get("parameter_format") or ""))
                reason = str(one.get("rejected_reason") or "").replace("NONE", "")
                state = lint.state_findings(str(one.get("status") or "APPROVED"), reason)
                return parts, state, one.get("category") == "AUTHENTICATION"
        languages = sorted({str(one.get("language")) for one in alike})
        return None, [lint.not_found(name, language, languages)], False
