"""The demo account of `make run`: made once, remembered in ``DATA_DIR/demo.json``, shown at every start."""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

Demo = dict[str, str]

RECIPIENT = "14155552671"


def load(data_dir: Path) -> Demo | None:
    """Return what an earlier start remembered."""
    try:
        demo = json.loads((data_dir / "demo.json").read_text())
    except (OSError, ValueError):
        return None
    wanted = {"account_id", "agent_id", "api_key", "v1_key", "email", "password"}
    return demo if isinstance(demo, dict) and wanted <= demo.keys() else None


def save(data_dir: Path, demo: Demo) -> None:
    """Remember the account and its keys, for the owner's eyes only; Meta's token is not among them."""
    path = data_dir / "demo.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(demo, file, indent=2)


def key_works(base_url: str, demo: Demo) -> bool:
    """Tell whether the remembered key is known to the database in use (it may be another one now)."""
    request = urllib.request.Request(  # noqa: S310  (our own http address)
        f"{base_url}/messages?limit=1", headers={"Authorization": f"Bearer {demo['api_key']}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return error.code != 401
    except OSError:
        return True


def text(demo: Demo, base_url: str, sandbox_url: str, stripe_url: str = "") -> str:
    """Return the lines that let a newcomer send a first message by copy and paste."""
    stripe = f"\n  stripe         {stripe_url}/   a stand-in: who pays, and its clock" if stripe_url else ""
    return f"""
Demo account (plan pro), with a sandbox number and approved templates
  account id   {demo["account_id"]}
  agent id     {demo["agent_id"]}
  API key      {demo["api_key"]}
  v1 key       {demo["v1_key"]}
  sign in      {demo["email"]}  password  {demo["password"]}

Send a message:
  curl -s {base_url}/send-message \\
    -H 'Authorization: Bearer {demo["api_key"]}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"to": "{RECIPIENT}", "template": {{"name": "hello_world", "language": "en_US"}}}}'

See what became of it (put the id from the answer in place of ID):
  curl -s {base_url}/messages/ID -H 'Authorization: Bearer {demo["api_key"]}'

  documentation  {base_url}/docs
  admin          {base_url}/admin/
  sandbox        {sandbox_url}/   what it received; spare numbers and tokens for the quickstart{stripe}
"""


def create() -> Demo:
    """Make the account through the same commands an operator has; returns what ``text`` needs."""
    import django
    from django.core.management import CommandError, call_command

    from devstack.meta import seed

    django.setup()

    def run(*arguments: str) -> Any:
        out = io.StringIO()
        call_command(*arguments, stdout=out)
        return out.getvalue()

    password = secrets.token_hex(10)  # never begins with a dash, which would read as an option
    # The address may be taken, by a demo whose file was deleted: then this one gets another.
    for email in ("demo@example.com", f"demo-{secrets.token_hex(3)}@example.com"):
        try:
            answer = run(
                "create_account",
                *("--name", "Demo", "--email", email, "--plan", "pro", "--password", password),
                *("--staff", "--json"),
            )
            break
        except CommandError as error:
            refusal = error
    else:
        raise refusal
    made = json.loads(answer)
    number = seed.number(0)
    # By environment, not by argument: arguments are visible to everybody who can list processes.
    os.environ["HERMOD_ACCESS_TOKEN"] = str(number.access_token)
    os.environ["HERMOD_APP_SECRET"] = str(seed.APP_SECRET)
    run(
        "connect_number",
        *("--account", made["account_id"], "--phone", number.phone, "--waba-id", number.waba_id),
        *("--phone-number-id", number.phone_number_id, "--json"),
    )
    run("sync_templates", "--account", made["account_id"])
    keys = ("account_id", "agent_id", "api_key", "v1_key")
    return {key: str(made[key]) for key in keys} | {"email": email, "password": password}


def main() -> int:
    """Create the account and print it as JSON (the supervisor runs this as a process of its own)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        demo = create()
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps(demo) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
