"""The guide's Markdown: one call becomes curl, Python and JavaScript, and the whole becomes HTML.

Only what the guide uses is understood: headings, paragraphs, lists, tables, fenced code, `code`, **bold**
and [links](/address). A fence called ``call`` holds a method and a path, headers, an empty line and JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

_CALL = re.compile(r"^```call (open )?(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LANGUAGES = {"sh": "curl", "python": "Python", "js": "JavaScript", "json": "Answer", "text": "Text"}
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)")


@dataclass(slots=True)
class Section:
    """A chapter: its name, its anchor and its HTML."""

    title: str
    anchor: str
    html: list[str] = field(default_factory=list)


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


# --- HTML


def page_of(text: str) -> list[Section]:
    """Turn the guide into sections of HTML; what stands before the first ``##`` has no title."""
    sections = [Section("", "")]
    names = 0
    for block in _blocks(text):
        if isinstance(block, list):
            names += 1
            sections[-1].html.append(_code(block, f"sample{names}"))
        elif block.startswith("## "):
            sections.append(Section(block[3:], anchor(block[3:])))
        elif not block.startswith("# "):
            sections[-1].html.append(_block(block, sections[-1].title))
    return sections


def anchor(title: str) -> str:
    """Return a heading's name for links."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _blocks(text: str) -> list[Any]:
    """Split at empty lines; fences that follow each other are one list of (language, code)."""
    found: list[Any] = []
    for index, part in enumerate(re.split(r"^```(.*)\n((?:.*\n)*?)```$", text, flags=re.MULTILINE)):
        if index % 3 == 0:
            found += [one.strip() for one in re.split(r"\n{2,}", part) if one.strip()]
        elif index % 3 == 1:
            if not (found and isinstance(found[-1], list) and part in ("python", "js")):
                found.append([])
            found[-1].append([part])
        else:
            found[-1][-1].append(part.rstrip("\n"))
    return found


def _code(samples: list[list[str]], name: str) -> str:
    if len(samples) == 1:
        language, code = samples[0]
        return _pre(_LANGUAGES.get(language, "Code"), code)
    tabs = [
        f'<input type="radio" name="{name}" id="{name}-{language}"{" checked" if index == 0 else ""}>'
        f'<label for="{name}-{language}">{_LANGUAGES[language]}</label>'
        for index, (language, _) in enumerate(samples)
    ]
    codes = [_pre(_LANGUAGES[language], code) for language, code in samples]
    return (
        f'<div class="samples" role="group" aria-label="The call in three languages">'
        f"{''.join(tabs)}{''.join(codes)}</div>"
    )


def _pre(label: str, code: str) -> str:
    return f'<pre tabindex="0" role="region" aria-label="{label}"><code>{escape(code)}</code></pre>'


def _block(block: str, title: str) -> str:
    lines = block.splitlines()
    if block.startswith("### "):
        return f'<h3 id="{anchor(block[4:])}">{_inline(block[4:])}</h3>'
    if lines[0].startswith("|"):
        return _table(lines, title)
    if re.match(r"(- |\d+\. )", block):
        tag = "ul" if block.startswith("- ") else "ol"
        items = re.split(r"^(?:- |\d+\. )", block, flags=re.MULTILINE)[1:]
        written = [f"<li>{_inline(' '.join(one.split()))}</li>" for one in items]
        return f"<{tag}>{''.join(written)}</{tag}>"
    return f"<p>{_inline(' '.join(lines))}</p>"


def _table(lines: list[str], title: str) -> str:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    head = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in rows[0])
    body = "".join(
        "".join(
            [
                f'<tr><th scope="row">{_inline(first)}</th>',
                *(f"<td>{_inline(one)}</td>" for one in rest),
                "</tr>",
            ]
        )
        for first, *rest in rows[2:]
    )
    return (
        f'<div class="sheet" tabindex="0" role="region" aria-label="Table: {escape(title)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _inline(text: str) -> str:
    written, end = [], 0
    for match in _INLINE.finditer(text):
        written.append(escape(text[end : match.start()]))
        code, bold, label, href = match.groups()
        if code is not None:
            written.append(f"<code>{escape(code)}</code>")
        elif bold is not None:
            written.append(f"<strong>{escape(bold)}</strong>")
        else:
            written.append(f'<a href="{escape(href)}">{_inline(label)}</a>')
        end = match.end()
    return "".join([*written, escape(text[end:])])
