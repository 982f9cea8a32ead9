"""Helm's own code, in a process of its own: renders and lints the chart as `helm template` and `helm lint` do.

The library brings the runtime of Go with it: threads and signal handlers, which a process that forks (as many tests
here do) should not have. One process answers all requests of a session, one JSON document per line. Many tests look at
the same objects: what was asked before is answered by what it said then.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "nodelocaldns"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # with every object a hundred times, the slow one takes minutes
Values = dict[str, Any]
Document = dict[str, Any]


class RefusedError(Exception):
    """What Helm says when it refuses values or cannot render."""


class Helm:
    """The other process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.helm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answers: dict[str, str] = {}

    def ask(self, **request: Any) -> Any:
        """One request and its answer; RefusedError with Helm's words."""
        line = json.dumps(request)
        if line not in self._answers:
            self._answers[line] = self._answer_to(line)
        answer = json.loads(self._answers[line])
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer["given"]

    def _answer_to(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        return self._process.stdout.readline()


@cache
def helm() -> Helm:
    """The one of this session; it ends with the pipe."""
    return Helm()


def files(values: Values | None = None, name: str = "nodelocaldns", namespace: str = "nodelocaldns") -> dict[str, str]:
    """Texts by path below templates/, those without content left out."""
    rendered = helm().ask(values=values or {}, name=name, namespace=namespace)
    return {path.partition("templates/")[2]: text for path, text in rendered.items() if text.strip()}


def render(values: Values | None = None, name: str = "nodelocaldns", namespace: str = "nodelocaldns") -> list[Document]:
    """All objects, in the order of their files."""
    texts = files(values, name, namespace)
    return [
        document
        for path, text in sorted(texts.items())
        if path.endswith(".yaml")
        for document in yaml.load_all(text, Loader=LOADER)
        if document
    ]


def lint(values: Values | None = None) -> list[str]:
    """What `helm lint --strict` has to say, in words."""
    found = helm().ask(lint=values or {})
    return [f"{each['path']}: {each['error']}" for each in found["messages"]]


def one(documents: list[Document], kind: str, name: str = "") -> Document:
    """The one object of this kind (and name)."""
    found = [each for each in documents if each["kind"] == kind and name in {"", each["metadata"]["name"]}]
    assert len(found) == 1, [(each["kind"], each["metadata"]["name"]) for each in documents]
    return found[0]


def text_of_resolver_yaml(documents: list[Document]) -> str:
    """What the ConfigMap holds."""
    found = next(each for each in documents if "resolver.yaml" in each.get("data", {}))
    return str(found["data"]["resolver.yaml"])


def resolver_yaml(documents: list[Document]) -> Any:
    """The same, read."""
    return yaml.safe_load(text_of_resolver_yaml(documents))


def merged(*layers: Values) -> Values:
    """What Helm makes of several files of values."""
    result: Values = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def preset(name: str) -> Values:
    """The values of one of presets/."""
    values: Values = yaml.safe_load((CHART / "presets" / f"{name}.yaml").read_text(encoding="utf-8"))
    return values


def presets() -> list[str]:
    """The names of all presets."""
    return sorted(path.stem for path in (CHART / "presets").glob("*.yaml"))


def _serve() -> None:
    from helm_python.chart import Chart
    from helm_python.chart import lint as helm_lint
    from helm_python.errors import HelmError

    with Chart.load(CHART) as chart:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                if "lint" in request:
                    given: Any = helm_lint(CHART, request["lint"], strict=True)
                else:
                    given = chart.render(request["values"], name=request["name"], namespace=request["namespace"])
                answer = {"given": given}
            except HelmError as error:
                answer = {"refused": str(error)}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve()
