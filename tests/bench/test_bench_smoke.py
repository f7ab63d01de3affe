"""The benchmark's own parts with tiny numbers: the stand-in, the load generator, table, JSON and picture."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
import requests

from bench import machine, plot, report
from bench.figures import Figure, percentile, spread
from bench.load import Load, Result, body, request
from bench.meta_standin import TOGETHER_SECONDS
from bench.run import options_of
from bench.stack import ROOT

LATENCY = 0.05
#: answers that are due at nearly the same time are written together
SOONEST = LATENCY - TOGETHER_SECONDS


@pytest.fixture
def standin() -> Iterator[str]:
    command = [sys.executable, "-m", "bench.meta_standin", "--latency", str(LATENCY), "--times"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().split()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(10) == 0


class Here:
    """As much of a stack as the load generator needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, command: list[str]) -> bytes:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60).stdout


def post(standin: str, number: str = "700000000000", ref: str = "hm:1") -> requests.Response:
    message = body("14155552671", "Hello") | {"biz_opaque_callback_data": ref}
    return requests.post(f"{standin}/v25.0/{number}/messages", data=orjson.dumps(message), timeout=10)


def test_the_standin_answers_after_its_latency_with_fresh_ids(standin):
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: post(standin, ref=f"hm:{n}"), range(8)))
    assert time.monotonic() - began >= SOONEST
    assert all(answer.elapsed.total_seconds() >= SOONEST for answer in answers)
    wamids = {answer.json()["messages"][0]["id"] for answer in answers}
    assert len(wamids) == 8
    times = requests.get(f"{standin}/_times?ref=hm:3", timeout=10).json()
    assert abs(times["hm:3"] - time.time()) < 10
    assert len(requests.get(f"{standin}/_times", timeout=10).json()) == 8


def test_the_standin_keeps_each_number_to_its_rate(standin):
    requests.get(f"{standin}/_reset?rate=5&latency=0", timeout=10)
    answers = [post(standin, ref=f"hm:{n}") for n in range(8)]
    refused = [answer for answer in answers if answer.status_code == 400]
    assert 1 <= len(refused) <= 3
    assert refused[0].json()["error"]["code"] == 130429
    assert post(standin, number="700000000001").status_code == 200
    numbers = requests.get(f"{standin}/_stats", timeout=10).json()["numbers"]
    assert numbers["700000000000"]["accepted"] + numbers["700000000000"]["refused"] == 8
    assert numbers["700000000000"]["accepted"] == len(numbers["700000000000"]["times"])


def test_the_standin_counts_a_message_that_comes_twice(standin):
    post(standin, ref="hm:twice")
    post(standin, ref="hm:twice")
    assert requests.get(f"{standin}/_stats", timeout=10).json()["doubled"] == 1


def test_the_load_generator_counts_answers_and_keeps_to_its_pace(standin, tmp_path):
    port = int(standin.rpartition(":")[2])
    posts = [request("POST", "/v25.0/700000000000/messages", body("14155552671", "Hello"))]
    load: Any = Load(Here(tmp_path))  # type: ignore[arg-type]
    closed: Result = load.run(port, posts, connections=4, seconds=30, count=40)
    assert len(closed.samples) == 40
    assert closed.statuses == {200}
    assert min(closed.took) >= SOONEST
    assert closed.seconds >= 10 * SOONEST  # ten rounds of four
    paced: Result = load.run(port, posts, connections=4, every=0.02, count=20, bodies=True)
    assert len(paced.samples) == 20
    assert paced.seconds >= 19 * 0.02
    assert "wamid" in paced.samples[0]["body"]


def figures() -> list[Figure]:
    return [
        Figure("P1", "sent <end> to end", 1450.4, "/s", "typical", 110.0, "≥ 12 ×", True, others=0.2),
        Figure("P1", "sent <end> to end", 1450.4, "/s", "client ceiling", 2900.0, "≥ 50 %", True),
        Figure("P5", "202 → receipt", 75.0, " ms", goal="≤ 60 ms", reached=False, note="p99 200 ms"),
        Figure("P8", "webhooks out", note="not there yet"),
    ]


def test_the_table_shows_ratio_goal_and_noise():
    lines = report.table(figures()).splitlines()
    typical = next(line for line in lines if "typical" in line)
    assert "1,450/s ~" in typical
    assert "13.2 ×" in typical
    assert typical.endswith("yes")
    assert "50%" in next(line for line in lines if "client ceiling" in line)
    assert next(line for line in lines if "receipt" in line).endswith("NO")
    assert any("p99 200 ms" in line for line in lines)
    assert "not there yet" in report.table(figures())
    assert "measure again" in lines[-1]
    assert report.markdown(figures()).count("\n") == 5


def test_what_is_kept_can_be_read_and_names_nothing(tmp_path):
    report.write(tmp_path / "a.json", figures(), machine.facts())
    kept = json.loads((tmp_path / "a.json").read_text())
    assert kept["figures"][0]["ratio"] == pytest.approx(13.185, abs=0.01)
    assert kept["facts"]["cores"] >= 1
    assert str(ROOT) not in (tmp_path / "a.json").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    plot.write(tmp_path / "a.svg", figures(), "a & b")
    picture = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = ["".join(node.itertext()) for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert any("sent <end> to end" in text for text in texts)
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}rect"))) == 1 + 3 + 1


def test_the_arithmetic():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(list(range(1, 101)), 0.99) == 99
    assert percentile([7.0], 0.99) == 7.0
    assert spread([])["count"] == 0
    assert machine.cpu_seconds(machine.tree(1)) >= 0
    with machine.Watch({"nobody": 2**22}) as watch:
        sum(range(100_000))
    assert watch.others >= 0


def test_a_wrong_choice_is_refused(capsys):
    assert options_of(["--only", "p1,P3"]).only == {"P1", "P3"}
    with pytest.raises(SystemExit):
        options_of(["--only", "P99"])
    assert "unknown: P99" in capsys.readouterr().err
