"""``lint_templates`` is a step of somebody's build: a line per fault, and an exit code that stops it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from messaging.message_templates import store as template_store

ROOT = Path(__file__).resolve().parents[3]
LISTED = {
    "data": [
        {
            "name": "order_shipped",
            "language": "en",
            "status": "APPROVED",
            "components": [
                {"type": "HEADER", "format": "TEXT", "text": "On {{day}}"},
                {"type": "BODY", "text": "Hello {{customer_name}}"},
                {
                    "type": "BUTTONS",
                    "buttons": [
                        {"type": "URL", "text": "See", "url": "https://e.com/{{1}}"},
                        {"type": "FLOW", "text": "Join"},
                    ],
                },
            ],
        },
        {"name": "old_offer", "language": "en", "status": "PAUSED", "components": []},
    ]
}
HEAD = "template,language,to,_note,customer_name,header.day,button.0.url_suffix,button.1.action\n"
GOOD = 'order_shipped,en,14155550100,x,Sara,Monday,o/1,"{""flow_token"": ""t""}"\n'


@pytest.fixture
def files(tmp_path):
    """Write the two files; returns a function that lints a CSV text."""
    listed = tmp_path / "templates.json"
    listed.write_text(json.dumps(LISTED))

    def run(text, *arguments, source=("--templates", str(listed))):
        path = tmp_path / "rows.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        out, told = io.StringIO(), io.StringIO()
        code = 0
        try:
            call_command("lint_templates", str(path), *source, *arguments, stdout=out, stderr=told)
        except SystemExit as end:
            code = end.code
        return code, [line.removeprefix(f"{path}:") for line in out.getvalue().splitlines()], told.getvalue()

    return run


def test_rows_that_would_be_sent_are_silence_and_zero(files):
    assert files(HEAD + GOOD) == (0, [], "1 rows, 0 errors, 0 warnings\n")
    without = HEAD.replace("template,language,", "") + GOOD.replace("order_shipped,en,", "")
    assert files("\ufeff" + without, "--template", "order_shipped", "--language", "en")[0] == 0
    assert files("template;language\nold_offer;en\n")[1][0].startswith("2: error template.name template_not")


def test_each_fault_is_a_line_with_its_place(files):
    text = (
        HEAD
        + GOOD
        + 'order_shipped,en,,,"Ali\nBaba",Monday,,no json\n'
        + "order_shipped,ar,,,x,y,z,{}\n,,,,,,,\n"
    )
    code, lines, told = files(text)
    assert code == 1 and "4 rows, 3 errors" in told
    assert [line.split(" ")[0] for line in lines] == ["4:", "5:", "6:"]
    assert "template.buttons[0].action invalid_request_body" in lines[0]
    assert "It exists in en." in lines[1]


def test_warnings_fail_only_when_asked_to(files):
    text = HEAD.replace("_note", "surplus") + GOOD
    assert files(text)[0] == 0 and "parameter_not_used" in files(text)[1][0]
    assert files(text, "--strict")[0] == 1


@pytest.mark.parametrize("text", [b"\xff\xfe", HEAD + "a,b,c,d,e,f,g,h,i\n", HEAD + '"x\n'])
def test_a_file_that_cannot_be_read_is_an_error_of_its_own(files, text):
    with pytest.raises(CommandError) as caught:
        files(text)
    assert caught.value.returncode == 2


@pytest.mark.parametrize("content", ["", "{}", "3", '{"data": 3}'])
def test_a_list_of_templates_that_is_none_is_an_error_of_its_own(files, tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(CommandError) as caught:
        files(HEAD, source=("--templates", str(tmp_path / "other.json")))
    assert caught.value.returncode == 2


def test_an_accounts_own_templates_are_checked_against(meta, number, files):
    template_store.sync(number)
    source = ("--account", str(number.account_id))
    rows = "template,language,1,2\norder_ready,en_US,Sara,\norder_ready,en,a,b\nlogin_code,en_US,1234,\n"
    code, lines, _ = files(rows, source=source)
    assert code == 1
    assert [line.split(" ")[2] for line in lines] == [
        "template.parameters.2",
        "template.name",
        "template.buttons[0].otp_code",
    ]
    for nobody in ("nonsense", "01900000-0000-7000-8000-000000000000"):
        with pytest.raises(CommandError, match="No account"):
            files(rows, source=("--account", nobody))


def test_it_runs_in_a_build_that_has_neither_database_nor_secrets(tmp_path):
    (tmp_path / "templates.json").write_text(json.dumps(LISTED))
    (tmp_path / "rows.csv").write_text(HEAD + GOOD)
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    arguments = [str(tmp_path / "rows.csv"), "--templates", str(tmp_path / "templates.json")]
    done = subprocess.run(
        [sys.executable, "manage.py", "lint_templates", *arguments],
        cwd=ROOT,
        env=bare,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
