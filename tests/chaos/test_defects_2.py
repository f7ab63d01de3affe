"""The teeth, half 2 of 2: every seeded defect is caught by the test that its patch names."""

from __future__ import annotations

import pytest

from tests.chaos import defects

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
HALF = defects.every()[1::2]


def test_without_a_defect_all_of_them_pass(copy):
    defects.pass_in(copy, HALF)


@pytest.mark.parametrize("defect", HALF, ids=lambda defect: defect.name)
def test_it_is_caught(copy, defect):
    defects.is_caught_in(copy, defect)
