"""$(NAME) in a text of resolver.yaml stands for an environment variable. Pure: the environment is an argument.

Some addresses are known only when a pod starts: the kubelet tells a container those of Services and of its node as
variables. The form is that of commands in Kubernetes' pods.
"""

import re
from collections.abc import Mapping
from typing import Final

_REFERENCE: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


class UnsetVariableError(ValueError):
    """A variable that the configuration names is not set, or empty; `str()` is a message for people."""


def expand(text: str, environ: Mapping[str, str]) -> str:
    """The text with the values of the variables it names; raises UnsetVariableError."""

    def value(reference: re.Match[str]) -> str:
        found = environ.get(reference[1])
        if not found:
            raise UnsetVariableError(f"the environment variable {reference[1]} is not set")
        return found

    return _REFERENCE.sub(value, text)
