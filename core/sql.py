"""Statements that run on every request: bound by the server and prepared once per connection.

Django's cursor writes the values into the text, which Postgres then parses and plans each time. For the
few statements of the accepting path that costs more than running them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from django.conf import settings
from django.db import connection
from psycopg.rows import RowFactory, class_row, tuple_row

T = TypeVar("T")


class _Prepared(psycopg.Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **options: Any) -> _Prepared:
        super().execute(query, params, prepare=settings.DATABASE_PREPARE, **options)
        return self


@contextmanager
def hot(row: RowFactory[Any] = tuple_row) -> Iterator[Any]:
    """Yield a cursor like Django's whose statements are prepared, in the current transaction if there is one.

    It is seen by query counters like any other. Every value keeps its Python type on its way, so a
    statement must cast where Postgres could not tell the type of a parameter. ``row`` (psycopg.rows) makes
    something else than tuples of the rows. Raises Django's database errors.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        raw = _Prepared(connection.connection, row_factory=row)
    with connection._prepare_cursor(raw) as cursor:  # type: ignore[attr-defined]
        yield cursor


def rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement on a ``hot`` cursor and return its rows, none if it has no result."""
    with hot() as cursor:
        cursor.execute(statement, values)
        # Not ``cursor.description``: that makes an object of every column.
        result = cursor.cursor.pgresult
        return cursor.fetchall() if result is not None and result.nfields else []


def rows_as(kind: type[T], statement: str, values: Sequence[Any]) -> list[T]:
    """Run one statement on a ``hot`` cursor and return its rows as ``kind``: a column is a field by its name.

    A column without a field, or a field without a column, is a ``TypeError``.
    """
    with hot(class_row(kind)) as cursor:
        cursor.execute(statement, values)
        found: list[T] = cursor.fetchall()
    return found


class Columns:
    """A model's own columns, in the order in which ``Model.from_db`` takes them, under an alias."""

    def __init__(self, model: Any, alias: str) -> None:
        self.model = model
        self.names = [field.attname for field in model._meta.concrete_fields]
        self.sql = ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)
        self._converters = [
            (index, field)
            for index, field in enumerate(model._meta.concrete_fields)
            if hasattr(field, "from_db_value")
        ]

    def __len__(self) -> int:
        return len(self.names)

    def make(self, values: Sequence[Any]) -> Any:
        """Return the model's instance as a query set would."""
        found = list(values)
        for index, field in self._converters:
            found[index] = field.from_db_value(found[index], None, connection)
        return self.model.from_db(connection.alias, self.names, found)
