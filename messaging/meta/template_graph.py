"""The Graph API's calls about single templates: read, create, edit, delete, and their sample files.

Source: Meta's reference of message templates, and its guide to resumable uploads for the samples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from messaging.meta.credentials import checked_id
from messaging.meta.graph import TEMPLATE_FIELDS, Graph, GraphUnreachable

SAMPLE_LIMIT = 20 * 1024 * 1024
"""Bytes of a sample that is fetched from Meta; larger ones are sent by their address."""

#: where Meta keeps the samples of templates; nothing else is ever fetched
_SAMPLE_HOSTS = (".whatsapp.net", ".fbcdn.net", ".fbsbx.com")
_UPLOAD = re.compile(r"upload:[A-Za-z0-9_=.+-]{1,800}(\?sig=[A-Za-z0-9_=.+-]{1,800})?")


class TemplateGraph(Graph):
    """``Graph`` with what one template needs; the same errors."""

    def template(self, template_id: str) -> dict[str, Any]:
        """Return one template as Meta stores it now."""
        return self._call("GET", checked_id(template_id, "template_id"), fields=TEMPLATE_FIELDS)

    def templates_named(self, waba_id: str, name: str) -> list[dict[str, Any]]:
        """Return the templates of this name, one for each language."""
        path = f"{checked_id(waba_id, 'waba_id')}/message_templates"
        data = self._call("GET", path, fields=TEMPLATE_FIELDS, name=name, limit="100").get("data")
        listed = data if isinstance(data, list) else []
        return [item for item in listed if isinstance(item, dict) and item.get("name") == name]

    def create_template(self, waba_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Hand a template in for review; return its ``id``, ``status`` and ``category``."""
        return self._call("POST", f"{checked_id(waba_id, 'waba_id')}/message_templates", json=body)

    def edit_template(self, template_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace components or category; the template goes back to review."""
        return self._call("POST", checked_id(template_id, "template_id"), json=body)

    def delete_template(self, waba_id: str, *, name: str, template_id: str) -> None:
        """Delete one language of a name."""
        path = f"{checked_id(waba_id, 'waba_id')}/message_templates"
        self._call("DELETE", path, name=name, hsm_id=checked_id(template_id, "template_id"))

    def upload_sample(self, app_id: str, *, name: str, mime_type: str, content: bytes) -> str:
        """Upload an example file and return its handle for ``example.header_handle``."""
        opened = self._call(
            "POST",
            f"{checked_id(app_id, 'app_id')}/uploads",
            file_length=str(len(content)),
            file_type=mime_type,
            file_name=name,
        )
        upload_id = str(opened.get("id") or "")
        if not _UPLOAD.fullmatch(upload_id):
            raise GraphUnreachable("Meta opened no upload for the file")
        # With its own query: what ``_call`` adds is put behind it.
        done = self._call("POST", upload_id, raw=content, headers={"file_offset": "0"}, scheme="OAuth")
        return str(done.get("h") or "")

    def fetch_sample(self, url: str) -> tuple[bytes, str]:
        """Return a template's sample and its type. The token is not sent: the address is signed.

        Raises ValueError for an address that is not Meta's, ``GraphUnreachable`` when there is no file.
        """
        parts = urlsplit(url)
        own = urlsplit(self._base)
        is_metas = parts.scheme == "https" and (parts.hostname or "").endswith(_SAMPLE_HOSTS)
        if not is_metas and (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
            raise ValueError("the sample's address is not one of Meta's")
        try:
            with self._session.get(
                url, timeout=self._timeout, allow_redirects=False, stream=True
            ) as response:
                if response.status_code != 200:
                    raise GraphUnreachable(f"the sample was answered with HTTP {response.status_code}")
                content = bytearray()
                for part in response.iter_content(64 * 1024):
                    content += part
                    if len(content) > SAMPLE_LIMIT:
                        raise GraphUnreachable("the sample is too large")
                mime_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        except (requests.RequestException, ValueError):
            raise GraphUnreachable("the sample could not be fetched") from None
        return bytes(content), mime_type
