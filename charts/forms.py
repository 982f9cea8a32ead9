"""What a value may look like, as JSON Schema: addresses, names, durations, and the parts of Kubernetes' own objects.

Patterns have to mean the same to Go's regular expressions and to Python's, so there is no looking ahead. Where
resolver.yaml or webhook.yaml has the last word, its own check may be stricter; here a mistake is refused before
anything is installed. What Helm prints of a form is its message to people: `format` says more than a long pattern.
"""

from typing import Any, Final

Form = dict[str, Any]

# Coarse: where an address is a part of a text, the exact form would be three lines of a message.
_IPV4: Final = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_IPV6: Final = "[0-9a-fA-F:.]*:[0-9a-fA-F:.]*"
_LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_VARIABLE: Final = r"\$\([A-Za-z_][A-Za-z0-9_]*\)"


def text(pattern: str, **more: object) -> Form:
    """A text that matches the pattern from end to end."""
    return {"type": "string", "pattern": f"^({pattern})$", **more}


def either(*forms: Form) -> Form:
    """What fits one of the forms."""
    return {"type": "string", "anyOf": [{key: form[key] for key in form if key != "type"} for form in forms]}


def or_empty(form: Form) -> Form:
    """The same, or the empty text."""
    if "pattern" not in form:
        return either(*form.get("anyOf", [form]), {"const": ""})
    return {**form, "pattern": f"^({form['pattern'].removeprefix('^').removesuffix('$')})?$"}


def or_variable(form: Form) -> Form:
    """The same, or a text with $(NAME) in it."""
    if "pattern" not in form:
        return either(*form["anyOf"], {"pattern": _VARIABLE})
    return {**form, "pattern": f"{form['pattern']}|{_VARIABLE}"}


def number(least: int, most: int) -> Form:
    """A whole number between these, both included."""
    return {"type": "integer", "minimum": least, "maximum": most}


def at_least(least: float, most: float | None = None) -> Form:
    """A number, whole or not, between these, both included."""
    return {"type": "number", "minimum": least, **({} if most is None else {"maximum": most})}


def choice(*values: str) -> Form:
    """One of these texts."""
    return {"type": "string", "enum": list(values)}


def list_of(form: Form, **more: object) -> Form:
    """A list of such values."""
    return {"type": "array", "items": form, **more}


def mapping(properties: dict[str, Form], *required: str, **more: object) -> Form:
    """A mapping with these keys and no others."""
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "additionalProperties": False, "properties": properties, **needed, **more}


def map_of(form: Form) -> Form:
    """A mapping with any keys and such values."""
    return {"type": "object", "additionalProperties": form}


BOOLEAN: Final[Form] = {"type": "boolean"}
ANYTHING: Final[Form] = {"type": "object"}
TEXT: Final[Form] = {"type": "string"}
ADDRESS_V6: Final[Form] = {"type": "string", "format": "ipv6"}
ADDRESS: Final = either({"format": "ipv4"}, {"format": "ipv6"})
NETWORK: Final = text(f"({_IPV4}|{_IPV6})/[0-9]{{1,3}}")
_PORT: Final = "(:[0-9]{1,5})?"
_TLS_NAME: Final = "(#[A-Za-z0-9_.-]+)?"
SERVER: Final = text(rf"({_IPV4}{_PORT}|{_IPV6}|\[{_IPV6}\]{_PORT}){_TLS_NAME}")
UPSTREAM: Final = text(rf"({_IPV4}{_PORT}|{_IPV6}|\[{_IPV6}\]{_PORT}){_TLS_NAME}|/.+")
UPSTREAM_OR_SERVICE: Final[Form] = {
    "anyOf": [
        or_variable(UPSTREAM),
        mapping({"service": text(f"{_LABEL}/{_LABEL}"), "address": or_variable(UPSTREAM)}, "service"),
    ]
}
PORT: Final = number(1, 65535)
DURATION: Final = text(r"[0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h)")
PROMETHEUS_DURATION: Final = text("([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?")
GO_DURATION: Final = text("([0-9]+(h|m|s))+")
SIZE: Final = text("[0-9]{1,9}(Ki|Mi|Gi)")
DOMAIN: Final = text(rf"{_LABEL}(\.{_LABEL})*", maxLength=180)
ZONE_NAME: Final = text(r"\.|[A-Za-z0-9_/-]{1,63}(\.[A-Za-z0-9_/-]{1,63})*\.?", maxLength=254)
NAME: Final = text(_LABEL)
"""A namespace, a Service."""
OBJECT_NAME: Final = text(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
PATH: Final = text(r"/[\x21-\x7e]{1,90}")
PORT_OR_NAME: Final[Form] = {"anyOf": [PORT, text("[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")]}
COUNT_OR_SHARE: Final[Form] = {"anyOf": [number(0, 1_000_000), text("[0-9]{1,3}%")]}
QUANTITY: Final[Form] = {
    "anyOf": [{"type": "number", "minimum": 0}, text(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")]
}
TEXTS: Final = map_of(TEXT)
"""Labels' selectors, annotations."""
LABELS: Final = map_of(text("([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"))
RESOURCES: Final = mapping({"requests": map_of(QUANTITY), "limits": map_of(QUANTITY)})
_SECONDS: Final = number(1, 3600)
PROBE: Final = mapping(
    {
        "initialDelaySeconds": number(0, 3600),
        "periodSeconds": _SECONDS,
        "timeoutSeconds": _SECONDS,
        "failureThreshold": number(1, 10_000),
        "successThreshold": number(1, 100),
    }
)
TOLERATION: Final = mapping(
    {
        "key": TEXT,
        "operator": choice("Exists", "Equal", "Lt", "Gt"),
        "value": TEXT,
        "effect": choice("NoSchedule", "PreferNoSchedule", "NoExecute"),
        "tolerationSeconds": {"type": "integer"},
    }
)
ENVIRONMENT: Final = mapping({"name": text("[A-Za-z_][A-Za-z0-9_]*"), "value": TEXT, "valueFrom": ANYTHING}, "name")
ROLLING: Final = mapping({"maxSurge": COUNT_OR_SHARE, "maxUnavailable": COUNT_OR_SHARE})
ISSUER: Final = mapping({"group": TEXT, "kind": choice("Issuer", "ClusterIssuer"), "name": OBJECT_NAME})
