"""The supervisor: children that die, talk, hang or are orphaned; and the whole product from start to stop."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.launcher import demo, processes, supervisor
from devstack.launcher.processes import ChildFailed, Processes, Stopped
from devstack.launcher.supervisor import SetupError, Supervisor
from tests.support.processes import below, free_port, is_gone
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
HERMOD_VARIABLES = {
    *("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CREDENTIALS_KEYS", "PUBLIC_URL", "PORT", "SANDBOX_PORT"),
    *("DATA_DIR", "META_GRAPH_URL", "META_APP_SECRET", "META_VERIFY_TOKEN", "DEBUG", "LOG_FORMAT"),
    *("WEBHOOK_ALLOW_PRIVATE", "EMAIL_URL", "ALLOWED_HOSTS"),
}


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def manager(lines) -> Iterator[Processes]:
    made = Processes(lines.append, first_delay=0.01)
    yield made
    made.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hermod-supervisor-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


# --- children


def test_the_procfile_and_the_readme_start_what_the_supervisor_starts():
    root = Path(processes.__file__).parents[2]

    def typed(*words: str) -> str:
        return " ".join(words).removeprefix("-m ")

    lines = (line.partition(": ") for line in (root / "Procfile").read_text().splitlines())
    assert {name: command for name, _, command in lines if name != "release"} == {
        "web": "python -m core.server --host 0.0.0.0",
        "worker": typed(*processes.worker()),
        "beat": typed(*processes.beat("${DATA_DIR:-/tmp}/celerybeat-schedule")),
    }
    readme = (root / "README.md").read_text().splitlines()
    assert {line.strip() for line in readme if line.strip().startswith(("python -m core", "celery "))} == {
        "python -m core.server --host 127.0.0.1 --port 8000",
        typed(*processes.worker()),
        typed(*processes.beat("/var/lib/hermod/celerybeat-schedule")),
    }


def test_every_line_of_a_child_carries_its_name(manager, lines):
    manager.start(
        "web", python("print('one'); print('two', end='', flush=True); import time; time.sleep(60)"), {}
    )
    manager.start("beat", python("import sys; sys.stderr.write('three\\n'); import time; time.sleep(60)"), {})
    manager.wait_for(lambda: {"web     | one", "beat    | three"} <= set(lines), "output")
    manager.stop()
    assert "web     | two" in lines  # the unfinished last line is not lost


def test_a_child_that_dies_is_started_again_and_one_line_says_so(manager, lines):
    manager.starting = False
    child = manager.start("worker", python("import time; print('up'); time.sleep(60)"), {})
    manager.wait_for(lambda: "worker  | up" in lines, "the child")
    os.kill(child.process.pid, signal.SIGKILL)
    manager.wait_for(lambda: lines.count("worker  | up") == 2, "the restart")
    assert "hermod  | worker ended with code -9; starting it again in 0.01 s" in lines


def test_the_delay_between_restarts_grows_and_is_bounded(manager, lines, monkeypatch):
    monkeypatch.setattr(processes, "LONGEST_DELAY", 0.05)
    manager.starting = False
    manager.start("worker", python("raise SystemExit(3)"), {})
    manager.wait_for(lambda: sum("starting it again" in line for line in lines) >= 5, "five deaths")
    delays = [float(found[1]) for line in lines if (found := re.search(r"again in (\S+) s", line))]
    assert delays[:5] == [0.01, 0.02, 0.04, 0.05, 0.05]


def test_five_deaths_during_the_start_give_up_with_the_last_output(manager):
    manager.start("web", python("print('no module named x'); raise SystemExit(3)"), {})
    with pytest.raises(ChildFailed, match=r"web ended 5 times, last with code 3:\s+no module named x"):
        manager.wait_for(lambda: False, "never")


def test_the_last_stage_is_stopped_first_and_each_child_may_finish(manager, lines):
    code = (
        "import signal, sys, time\n"
        "def end(*_): time.sleep(0.2); print('finished'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up'); time.sleep(60)"
    )
    for stage, name in enumerate(("web", "worker", "beat")):
        manager.start(name, python(code), {}, stage=stage)
    manager.wait_for(lambda: sum(line.endswith("| up") for line in lines) == 3, "the children")
    manager.stop()
    ends = [line.split()[0] for line in lines if line.endswith("finished")]
    assert ends == ["beat", "worker", "web"]


def test_a_child_that_ignores_the_request_is_killed_with_its_own_children(manager, lines):
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen(['sleep', '600']).pid); time.sleep(600)"
    )
    child = manager.start("worker", python(code), os.environ, stop_seconds=0.3)
    manager.wait_for(lambda: lines, "the grandchild's pid")
    grandchild = int(lines[0].split()[-1])
    manager.stop()
    assert is_gone(child.process.pid)
    eventually(lambda: is_gone(grandchild))


def test_children_end_when_the_supervisor_is_killed_with_kill_9():
    code = (
        "import sys, os, signal; from devstack.launcher.processes import Processes; p = Processes()\n"
        "child = p.start('web', [sys.executable, '-c', 'import time; time.sleep(600)'], os.environ)\n"
        "print(child.process.pid, flush=True)\n"
        "while True: p.pump()"
    )
    with subprocess.Popen(python(code), cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    eventually(lambda: is_gone(pid))


def test_a_request_to_stop_interrupts_a_command_that_is_being_waited_for(manager):
    manager.stop_asked = 1
    with pytest.raises(Stopped):
        manager.run("migrate", ["sleep", "600"], os.environ)  # longer than a test may take


def test_a_command_that_fails_is_reported_by_its_last_line(manager):
    code = "import sys; sys.stderr.write('Traceback\\n  file\\nValueError: the point\\n'); sys.exit(1)"
    with pytest.raises(ChildFailed, match=r"^migrate failed: ValueError: the point$"):
        manager.run("migrate", python(code), {})
    assert manager.run("echo", python("print('out')"), {}) == "out\n"


# --- settings


def test_an_env_file_is_read_as_people_write_it(tmp_path):
    (tmp_path / ".env").write_text("# a comment\nPORT=8123\nexport NAME='a b'\nURL=\"x=y\"\n\nnonsense\n")
    assert supervisor.read_env_file(tmp_path / ".env") == {"PORT": "8123", "NAME": "a b", "URL": "x=y"}
    assert Supervisor({"PORT": "1"}, base_dir=tmp_path).env["PORT"] == "1"  # the environment wins


def test_secrets_are_made_once_for_the_owners_eyes_and_given_ones_are_not_stored(tmp_path):
    first = supervisor.secrets_of(tmp_path, {})
    assert supervisor.secrets_of(tmp_path, {}) == first
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert len(first["SECRET_KEY"]) >= 50
    given = supervisor.secrets_of(tmp_path, {"SECRET_KEY": "mine"})
    assert given == {"SECRET_KEY": "mine", "CREDENTIALS_KEYS": first["CREDENTIALS_KEYS"]}
    assert "mine" not in (tmp_path / "secrets.env").read_text()


def test_a_port_in_use_names_the_port_and_the_variable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=rf"Port {port} is in use.*SANDBOX_PORT="):
            supervisor.port_of({"SANDBOX_PORT": str(port)}, "SANDBOX_PORT", 9000)


@pytest.mark.parametrize("text", ["eighty", "0", "65536", "-1", "80.0"])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(SetupError, match=r"PORT=\S+ is not a port"):
        supervisor.port_of({"PORT": text}, "PORT", 8000)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DATABASE_URL": "mysql://x/y"}, "must begin with postgres://"),
        ({"DATABASE_URL": "postgres://u:pass-word@127.0.0.1:1/x"}, "DATABASE_URL cannot be reached"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "REDIS_URL cannot be reached"),
        ({"REDIS_URL": "nonsense"}, "REDIS_URL cannot be reached"),
    ],
)
def test_a_server_that_does_not_answer_is_one_sentence_without_its_password(variables, sentence):
    with pytest.raises(SetupError, match=sentence) as refused:
        supervisor.check_servers(variables)
    assert "pass-word" not in str(refused.value)
    assert "\n" not in str(refused.value)


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in HERMOD_VARIABLES}
    return {
        **kept,
        # Set to nothing rather than absent: a developer's .env must not fill them in.
        **dict.fromkeys(HERMOD_VARIABLES, ""),
        "EMAIL_URL": "consolemail://",
        "DATA_DIR": str(folder / "data"),
        "PORT": str(free_port()),
        "SANDBOX_PORT": str(free_port()),
        **more,
    }


def test_expected_trouble_is_one_line_and_exit_code_1(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = environment(folder, PORT=str(taken.getsockname()[1]))
        done = subprocess.run(
            [sys.executable, "-m", "devstack.launcher.supervisor"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert re.fullmatch(r"hermod: Port \d+ is in use: .*PORT=\d+ make run\.\n", done.stderr)


# --- the demo account


def test_the_demo_is_remembered_without_metas_token_for_the_owners_eyes(tmp_path):
    assert demo.load(tmp_path) is None
    made = {key: f"the-{key}" for key in ("account_id", "agent_id", "api_key", "v1_key", "email", "password")}
    demo.save(tmp_path, made)
    assert demo.load(tmp_path) == made
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    shown = demo.text(made, "http://127.0.0.1:8000", "http://127.0.0.1:9000")
    assert all(value in shown for value in made.values())
    (tmp_path / "demo.json").write_text('{"half": ')
    assert demo.load(tmp_path) is None


# --- everything


class Run:
    """`make run` without make: reads its output until READY and knows its processes."""

    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "devstack.launcher.supervisor"],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output: list[str] = []

    def read_until(self, pattern: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if re.search(pattern, line):
                return self.output[-1]
        raise AssertionError("it ended:\n" + "\n".join(self.output[-40:]))

    def family(self) -> list[int]:
        """Return every process below this one, found while all of them are alive."""
        return below(self.process.pid)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signum)
        self.process.communicate(timeout=60)


def call(url: str, key: str, body: dict | None = None) -> dict:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_command_starts_everything_sends_a_message_and_leaves_nothing_behind(folder):
    env = environment(folder)
    run = Run(env)
    try:
        ready = run.read_until(r"^READY ")
        base = f"http://127.0.0.1:{env['PORT']}"
        assert ready == f"READY {base}"
        run.read_until(r"sandbox +http")
        shown = "\n".join(run.output)
        key = re.search(r"API key +(sk_live_[0-9a-f]{48})", shown)[1]
        account = re.search(r"account id +(\S+)", shown)[1]
        body = json.loads(re.search(r"-d '(\{.*\})'", shown)[1])

        sent = call(f"{base}/send-message", key, body)["data"]
        wanted = {"delivered", "read"}
        eventually(lambda: call(f"{base}/messages/{sent['id']}", key)["data"]["status"] in wanted, 5)

        # The token the number was connected with is in no file of ours in the clear, nor printed.
        from devstack.meta import seed

        token = seed.number(0).access_token
        assert token not in shown
        assert token not in (folder / "data" / "demo.json").read_text()
        assert (folder / "data" / "secrets.env").stat().st_mode & 0o777 == 0o600

        family = run.family()
        assert len(family) >= 8  # postgres, valkey, sandbox, web with its two, two workers, beat
        run.stop()
        assert run.process.returncode == 0
        eventually(lambda: all(is_gone(pid) for pid in family))

        run = Run(env)
        run.read_until(r"^READY ")
        run.read_until(r"sandbox +http")
        assert f"account id   {account}" in "\n".join(run.output)  # the same account, made once
        assert call(f"{base}/messages/{sent['id']}", key)["data"]["id"] == sent["id"]

        family = run.family()
        run.process.kill()  # no handler of ours runs
        run.process.communicate()
        eventually(lambda: all(is_gone(pid) for pid in family))
    finally:
        run.stop(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ctrl_c_in_the_middle_of_the_start_leaves_nothing_behind(folder):
    run = Run(environment(folder))
    try:
        run.read_until(r"started, data in")
        family = run.family()
        os.killpg(run.process.pid, signal.SIGINT)  # what a terminal does
        run.process.communicate(timeout=60)
        assert run.process.returncode == 0
        eventually(lambda: all(is_gone(pid) for pid in family), 5)
    finally:
        run.stop(signal.SIGKILL)
