"""Base of the linter's API views: which template is meant, and findings as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accounts.models import Account, Number
from messaging.message_templates import lint
from messaging.message_templates import listing as template_list
from messaging.message_templates import store as template_store
from messaging.models import Template


def known(account: Account, name: str, language: str, agent_ids: Sequence[str] | None) -> Template | None:
    """Return the template of this name and language that these agents (None: all) can send.

    One that is not known is asked of Meta first, as often as is polite; so not inside a transaction.
    """
    wanted = template_list.Wanted(agent_ids=agent_ids, name=name, language=language)
    for last in (False, True):
        found, _ = template_list.page(account, wanted, limit=20)
        present = [one for one in found if one.status != "DELETED"]
        if present or last:
            return min(present, key=lambda one: one.status != template_store.APPROVED, default=None)
        numbers = account.connections.filter(removed_at=None).exclude(waba_id="")
        if agent_ids is not None:
            numbers = numbers.filter(agent_id__in=agent_ids)
        by_account: dict[str, Number] = {number.waba_id: number for number in numbers}
        asked = [template_store.ask_for(number, name) for number in by_account.values()]
        if not any(asked):
            return None
    return None


def missing(account: Account, name: str, language: str) -> lint.Finding:
    """Say that a template is not there, and in which languages it is."""
    rows = Template.objects.filter(account=account, name=name).exclude(status="DELETED")
    return lint.not_found(name, language, sorted(set(rows.values_list("language", flat=True))))


def state_of(template: Template) -> list[lint.Finding]:
    """Return what stands against sending a template at all."""
    return lint.state_findings(template.status, template.rejected_reason, template.correct_category)


def finding_object(finding: lint.Finding) -> dict[str, Any]:
    """Write a finding."""
    code = "invalid_request_body" if finding.code == "invalid_request" else finding.code
    shown = {
        "severity": finding.severity,
        "code": code,
        "param": finding.param,
        "message": finding.message,
    }
    return shown | ({"meta_code": finding.meta_code} if finding.meta_code else {})
