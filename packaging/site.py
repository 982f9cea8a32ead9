"""Lay out the pages of the documentation for the generator, in the folder that zensical.toml names: `make docs`.

Two things become links to the repository's own pages: links to files beside docs/, which a reader of the repository can
follow and a site has not; and names such as `resolver/engine.py:Engine.answer`, which lead to the line where that is
defined now. That files and names exist, tests hold the pages to anyway. A page without a place in the navigation is an
error: nobody would find it.
"""

import ast
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
_OUTSIDE = re.compile(r"(\]\()\.\./([^)\s]+)(\))")
_NAMED = re.compile(r"`((?:resolver|webhook|charts|tests|benchmarks)/[\w./-]+\.py)(?::{1,2}([\w.:]+))?`")


def main() -> int:
    """Write the folder anew; the exit status."""
    project = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    pages = ROOT / project["docs_dir"]
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages)
    files = f"{project['extra']['repository']}/blob/main/"
    for page in pages.glob("*.md"):
        text = _OUTSIDE.sub(rf"\1{files}\2\3", page.read_text(encoding="utf-8"))
        page.write_text(_NAMED.sub(lambda it: _link(files, it), text), encoding="utf-8")
    lost = sorted({page.name for page in pages.glob("*.md")} - set(_listed(project["nav"])))
    if lost:
        print(f"zensical.toml: nav does not name {', '.join(lost)}", file=sys.stderr)
    return 1 if lost else 0


def _link(files: str, named: re.Match[str]) -> str:
    """The name, leading to its line; as it is where there is no such file or no such name in it."""
    path, name = named[1], named[2] or ""
    if not (ROOT / path).is_file():
        return named[0]
    line = _lines(path).get(name.replace("::", "."), 0)
    return f"[{named[0]}]({files}{path}{f'#L{line}' if line else ''})"


@cache
def _lines(path: str) -> dict[str, int]:
    """Where what is defined in a file: classes, functions, and values that have a name."""
    return dict(_defined(ast.parse((ROOT / path).read_text(encoding="utf-8")).body, ""))


def _defined(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, int]]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node.lineno
            if isinstance(node, ast.ClassDef):
                yield from _defined(node.body, f"{prefix}{node.name}.")
        for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
            if isinstance(target, ast.Name):
                yield prefix + target.id, node.lineno


def _listed(nav: list[dict[str, object]]) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from _listed(target)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
