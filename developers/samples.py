"""Samples: one call of the guide, written in Markdown once, becomes curl, Python and JavaScript.

A fence called ``call`` holds a method and a path, headers, an empty line and JSON; a
``call open`` needs no key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_CALL = re.compile(r"^```call (open )?(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def expand(text: str, base: str) -> str:
    """Write each ``call`` out in three languages."""

    def three(match: re.Match[str]) -> str:
        is_open, method, path, rest = match.groups()
        head, _, body = rest.partition("\n\n") if not rest.startswith("{") else ("", "", rest)
        headers = dict(line.split(": ", 1) for line in head.splitlines() if line)
        data = json.loads(body) if body.strip() else None
        call = _Call(method, base + path, headers, data, keyed=not is_open)
        return (
            f"```sh\n{call.curl()}\n```\n\n```python\n{call.python()}\n```\n\n```js\n{call.javascript()}\n```"
        )

    return _CALL.sub(three, text)


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    headers: dict[str, str]
    data: Any
    keyed: bool

    def curl(self) -> str:
        verb = "" if self.method == ("POST" if self.data is not None else "GET") else f"-X {self.method} "
        lines = [f"curl {verb}'{self.url}'" if "?" in self.url else f"curl {verb}{self.url}"]
        if self.keyed:
            lines.append('-H "Authorization: Bearer $HERMOD_KEY"')
        if self.data is not None:
            lines.append("-H 'Content-Type: application/json'")
        lines += [f"-H '{name}: {value}'" for name, value in self.headers.items()]
        if self.data is not None:
            lines.append(
                "-d '" + json.dumps(self.data, indent=2, ensure_ascii=False).replace("'", "'\\''") + "'"
            )
        return " \\\n  ".join(line.replace("\n", "\n  ") for line in lines)

    def python(self) -> str:
        lines = ["import os, requests" if self.keyed else "import requests", ""]
        lines.append(f"answer = requests.{self.method.lower()}(")
        lines.append(f'    "{self.url}",')
        headers = [f'"{name}": "{value}"' for name, value in self.headers.items()]
        if self.keyed:
            headers.insert(0, '"Authorization": f"Bearer {os.environ[\'HERMOD_KEY\']}"')
        if headers:
            lines.append("    headers={" + ", ".join(headers) + "},")
        if self.data is not None:
            lines.append("    json=" + _python(self.data).replace("\n", "\n    ") + ",")
        return "\n".join([*lines, "    timeout=30,", ")", "print(answer.status_code, answer.json())"])

    def javascript(self) -> str:
        headers = []
        if self.keyed:
            headers.append("Authorization: `Bearer ${process.env.HERMOD_KEY}`")
        if self.data is not None:
            headers.append("'Content-Type': 'application/json'")
        headers += [f"'{name}': '{value}'" for name, value in self.headers.items()]
        lines = [f"const answer = await fetch('{self.url}', {{"]
        if self.method != "GET":
            lines.append(f"  method: '{self.method}',")
        if headers:
            lines += ["  headers: {", *(f"    {one}," for one in headers), "  },"]
        if self.data is not None:
            written = json.dumps(self.data, indent=2, ensure_ascii=False).replace("\n", "\n  ")
            lines.append(f"  body: JSON.stringify({written}),")
        return "\n".join([*lines, "});", "console.log(answer.status, await answer.json());"])


def _python(value: Any, indent: str = "") -> str:
    """Write JSON as a Python literal."""
    deeper = indent + "    "
    if isinstance(value, dict) and value:
        inner = ",\n".join(
            f"{deeper}{json.dumps(name)}: {_python(one, deeper)}" for name, one in value.items()
        )
        return f"{{\n{inner},\n{indent}}}"
    if isinstance(value, list) and value:
        inner = ",\n".join(f"{deeper}{_python(one, deeper)}" for one in value)
        return f"[\n{inner},\n{indent}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
