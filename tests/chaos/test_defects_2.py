"""The teeth, half 2 of 2: every seeded defect is caught by the test that its patch names."""

from __future__ import annotations

import pytest

from tests.chaos import defects

HALF = defects.every()[1::2]


@pytest.fixture(scope="module")
def copy(tmp_path_factory, worker_id):
    made = defects.Copy(tmp_path_factory.mktemp("defects"), worker_id.replace("master", "gw0"))
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_without_a_defect_all_of_them_pass(copy):
    code, told = copy.run(*sorted({defect.caught_by for defect in HALF}))
    assert code == 0, told


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("defect", HALF, ids=lambda defect: defect.name)
def test_it_is_caught(copy, defect):
    copy.apply(defect)
    try:
        code, told = copy.run(defect.caught_by)
    finally:
        copy.mend(defect)
    # 1: a test failed. Anything else (an import that broke, a test that is gone) catches nothing.
    assert code == 1, f"{defect.name} ({defect.breaks}) got past {defect.caught_by}:\n{told}"
    assert "1 failed" in told, told
