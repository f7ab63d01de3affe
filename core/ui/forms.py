"""Form rendering: our field, label, help and faults, with their ids tied together."""

from __future__ import annotations

import re

from django import forms
from django.forms.renderers import TemplatesSetting
from django.forms.utils import ErrorList

from core.errors import Refusal
from core.ui.refusal_texts import translated

_PART = re.compile(r"[.\[]")


class Renderer(TemplatesSetting):
    """Draws ``{{ form }}`` and ``{{ form.name.as_field_group }}`` in Hermod's design (FORM_RENDERER)."""

    form_template_name = "ui/form.html"
    field_template_name = "ui/field.html"


ErrorList.template_name = "ui/faults.html"


def take(form: forms.BaseForm, refusal: Refusal) -> None:
    """Show a core's refusal where it belongs, in the reader's language: at its fields, or above the form."""
    shown = False
    for fault in refusal.fields:
        # ``events[2]`` and ``headers.X-Shop`` stand in one field of the form.
        name = _PART.split(fault.field, maxsplit=1)[0]
        form.add_error(name if name in form.fields else None, translated(fault.message))
        shown = True
    if not shown:
        form.add_error(None, translated(refusal.message))
