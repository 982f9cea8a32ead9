"""resolver.yaml and webhook.yaml as JSON Schema, from the tables that the programs themselves read by.

A check is known by its sentence ("expected ..."): a new kind of check has no form here, and the tests say so.
"""

import re
from typing import Any, Final

from charts import forms
from charts.forms import Form
from resolver.config.quantities import Check
from resolver.config.shape import ListOf, Section

_FORMS: Final[tuple[tuple[str, Form], ...]] = (
    ("true or false", forms.BOOLEAN),
    ("a duration", forms.DURATION),
    ("a size", forms.SIZE),
    ("a CIDR", forms.or_variable(forms.NETWORK)),
    ("an IP address", forms.or_variable(forms.ADDRESS)),
    ("address, address:port", forms.UPSTREAM_OR_SERVICE),
    ("https://HOST:PORT", forms.or_variable(forms.text("(https://.+)?"))),
    ("a node's name", forms.or_variable(forms.text("([a-z0-9][a-z0-9.-]*)?"))),
    ("a zone's name", forms.or_variable(forms.text("([A-Za-z0-9][A-Za-z0-9_.-]*)?"))),
    ("a domain name in lower case", forms.DOMAIN),
    ("a domain name such as", forms.ZONE_NAME),
    ("a host name or an IP address", forms.text("[A-Za-z0-9:.*-]{1,253}")),
    ("a name of a Kubernetes object", forms.OBJECT_NAME),
    ("a name of a namespace or a Service", forms.NAME),
    ('a name of a namespace, or ""', forms.or_empty(forms.NAME)),
    ("a user name", forms.text("([A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?")),
    ("an absolute path of at most 107 bytes", forms.text(r"(/[\x21-\x7e]{1,106})?")),
    ("an absolute path", forms.text("(/.+)?")),
    ("an interface name", forms.text("[A-Za-z0-9_.-]{1,15}")),
)
_RANGE: Final = re.compile(r"from (\d+) to (\d+)$")


def form_of(shape: "Check[Any] | ListOf | Section") -> Form:
    """The schema of what this describes. Nothing is required: values are merged over what the chart generates."""
    match shape:
        case Section():
            return forms.mapping({key.name: form_of(key.value) | {"description": key.meaning} for key in shape.keys})
        case ListOf():
            least = {} if shape.may_be_empty else {"minItems": 1}
            return forms.list_of(form_of(shape.item), uniqueItems=True, **least)
    return _of_sentence(shape.expected)


def _of_sentence(expected: str) -> Form:
    if expected.startswith("one of "):
        return forms.choice(*expected.removeprefix("one of ").split(", "))
    if found := _RANGE.search(expected):
        return forms.number(int(found[1]), int(found[2]))
    for beginning, form in _FORMS:
        if expected.startswith(beginning):
            return form
    raise LookupError(f"no form for a value that is {expected}")
