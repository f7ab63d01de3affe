"""The database backend and the statements that are prepared."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.sql import hot, rows


@pytest.fixture
def checked(transactional_db):
    """Make our connection one that a request has just begun with."""
    connection.ensure_connection()
    connection.health_check_enabled = True
    connection.health_check_done = False
    yield connection
    connection.health_check_enabled = False


def pid_of(open_connection) -> int:
    return open_connection.connection.info.backend_pid


def test_a_connection_that_lives_is_not_asked_whether_it_does(checked):
    before = pid_of(checked)
    with CaptureQueriesContext(checked) as captured:
        assert rows("SELECT 1", []) == [(1,)]
    assert [query["sql"] for query in captured.captured_queries] == ["SELECT 1"]
    assert pid_of(checked) == before
    assert checked.health_check_done


def test_a_connection_that_the_server_ended_is_replaced_unnoticed(checked):
    before = pid_of(checked)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    other.close()
    assert rows("SELECT 1", []) == [(1,)]
    assert pid_of(checked) != before


@pytest.mark.django_db
def test_a_hot_statement_is_prepared_once():
    statement = "SELECT %s::int + 1 AS prepared_by_this_test"
    for value in range(5):
        assert rows(statement, [value]) == [(value + 1,)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%prepared_by_this_test'"
        )
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_query_counters_see_prepared_statements():
    with CaptureQueriesContext(connection) as captured, hot() as cursor:
        for _ in range(3):
            cursor.execute("SELECT %s::text", ["x"])
            assert cursor.fetchall() == [("x",)]
    assert len(captured) == 3
    assert all("SELECT" in query["sql"] for query in captured.captured_queries)
