"""What an expression of PromQL refers to: metrics, and of each the labels and their values that it counts on.

The parser is that of a library; here only the tree is walked. Labels that are grouped or matched by count for every
metric below them.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser

TARGET = frozenset({"cluster", "instance", "job", "namespace", "node", "pod"})
"""Labels that scraping adds."""
_VARIABLES = {"$__rate_interval": "5m", "$cluster": ".*", "$job": ".*", "$node": ".*"}


class Selected(NamedTuple):
    """One selector: `labels` have to be there, `values` are (label, value) that it asks for."""

    metric: str
    labels: frozenset[str]
    values: frozenset[tuple[str, str]]


def selectors(expression: str) -> list[Selected]:
    """All selectors of an expression; ValueError for what is no PromQL."""
    return list(_walk(promql_parser.parse(expression), frozenset()))


def without_variables(expression: str) -> str:
    """A dashboard's expression as Grafana sends it."""
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def _walk(node: Any, wanted: frozenset[str]) -> Iterator[Selected]:
    match node:
        case promql_parser.VectorSelector():
            yield _selected(node, wanted)
        case promql_parser.MatrixSelector():
            yield from _walk(node.vector_selector, wanted)
        case promql_parser.AggregateExpr():
            yield from _walk(node.expr, wanted | frozenset(node.modifier.labels if node.modifier else ()))
        case promql_parser.BinaryExpr():
            matching = node.modifier.matching if node.modifier else None
            for side in (node.lhs, node.rhs):
                yield from _walk(side, wanted | frozenset(matching.labels if matching else ()))
        case promql_parser.Call():
            for argument in node.args:
                yield from _walk(argument, wanted)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            yield from _walk(node.expr, wanted)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            return
        case _:
            raise AssertionError(f"unknown kind of node: {node!r}")


def _selected(node: promql_parser.VectorSelector, wanted: frozenset[str]) -> Selected:
    assert node.name, "a selector without a metric's name"
    matchers = node.matchers.matchers
    values = {
        (matcher.name, value)
        for matcher in matchers
        for value in (matcher.value.split("|") if re.fullmatch(r"[\w|-]+", matcher.value) else ())
    }
    return Selected(node.name, wanted | {matcher.name for matcher in matchers}, frozenset(values))
