"""YAML text to plain values, without YAML's surprises. The only importer of PyYAML.

Only the types that JSON has are constructed: YAML 1.1 would turn a date or a `!!binary` into something no key wants.
A key that is written twice is a mistake, where YAML would silently take the second. The loader is the one in pure
Python: the one built on libyaml crashes the process on deep nesting, and a file of forty lines takes milliseconds.
"""

from typing import Any

import yaml

from resolver.config.problems import Problem


class _Loader(yaml.SafeLoader):
    """Collects repeated keys in `problems` instead of stopping at the first."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[Problem] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        if isinstance(node, yaml.MappingNode):
            self._find_repeated_keys(node)
        return super().construct_mapping(node, deep)

    def _find_repeated_keys(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:  # before PyYAML merges `<<`, which may repeat keys on purpose
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    self.problems.append(Problem(_place(key.start_mark), f"the key {key.value!r} is written twice"))
                seen.add(key.value)


_JSON_TYPES = ("null", "bool", "int", "float", "str", "seq", "map")
_Loader.yaml_constructors = {
    tag: yaml.SafeLoader.yaml_constructors[tag]
    for tag in (*(f"tag:yaml.org,2002:{name}" for name in _JSON_TYPES), None)  # None: any other tag is an error
}
# A plain word that looks like a date stays a word, so that the schema can say what it expected instead.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> tuple[Any, tuple[Problem, ...]]:
    """Return the value of the one document in `text`, None if there is none, and what is wrong with the YAML.

    Nothing is raised. Text that is not YAML has the value None; a key that is written twice has its last value.
    """
    try:
        loader = _Loader(text)
        value = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return None, (Problem(_place(mark) if mark else "", f"not YAML: {error.problem or error.context}"),)
    except yaml.reader.ReaderError as error:
        return None, (Problem("", f"not YAML: {error.reason} at character {error.position}"),)
    except RecursionError:
        return None, (Problem("", "not usable: nested too deeply"),)
    except (yaml.YAMLError, ValueError, LookupError, TypeError) as error:  # what `!!int x` and the like end in
        return None, (Problem("", f"not YAML: {error}"),)
    return value, tuple(loader.problems)


def _place(mark: yaml.Mark) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
