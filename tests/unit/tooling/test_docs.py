"""What the pages for people say about the code is compared with the code: names, numbers, layers, targets, links."""

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import imports

ROOT = Path(__file__).parents[3]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    *sorted(f"docs/{page.name}" for page in ROOT.glob("docs/*.md")),
)
DEVELOPMENT = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

LINK = re.compile(r"\]\(([^)\s]+)\)")
REFERENCE = re.compile(r"`((?:resolver|webhook|tests|benchmarks)/[\w./]+)(?::([\w.]+))?`")
NUMBER_ROW = re.compile(r"\| ([\d.,]+)(?: (%|s|B|KiB|MiB))? \| `(resolver/[\w./]+):([\w.]+)` \|")
UNITS = {"": 1, "%": 0.01, "s": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]|\]\([^)]*\)", "", each)).lower().replace(" ", "-") for each in headings
    }


def fragments() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            if "://" not in target and "#" in target:
                yield page, target


def links() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("#"):
                yield page, target.partition("#")[0]


def resolve(path: str, name: str) -> object:
    """What `path:name` stands for; a field of a tuple with names stands for its default."""
    found: object = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        defaults = getattr(found, "_field_defaults", {})
        found = defaults[part] if part in defaults else getattr(found, part)
    return found


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_every_relative_link_leads_somewhere(page: str, target: str) -> None:
    assert ((ROOT / page).parent / target).exists()


@pytest.mark.parametrize(("page", "target"), sorted(set(fragments())))
def test_every_relative_link_to_a_heading_finds_it(page: str, target: str) -> None:
    path, _, fragment = target.partition("#")
    assert fragment in anchors(((ROOT / page).parent / path) if path else ROOT / page)


def test_every_page_has_its_place_on_the_site() -> None:
    listed = set(re.findall(r'= "([\w-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8")))
    assert listed == {page.name for page in ROOT.glob("docs/*.md")}  # the navigation in zensical.toml


def test_the_first_link_of_the_readme_is_the_architecture() -> None:
    assert LINK.findall(README)[0] == "docs/architecture.md"


@pytest.mark.parametrize(("path", "name"), sorted(set(REFERENCE.findall(ARCHITECTURE + DEVELOPMENT))))
def test_what_the_architecture_and_its_walks_name_exists(path: str, name: str) -> None:
    assert (ROOT / path).exists()
    if name:
        resolve(path, name)


@pytest.mark.parametrize(("number", "unit", "path", "name"), NUMBER_ROW.findall(ARCHITECTURE))
def test_numbers_in_the_architecture_are_those_of_the_code(number: str, unit: str, path: str, name: str) -> None:
    assert resolve(path, name) == pytest.approx(float(number.replace(",", "")) * UNITS[unit])


def test_every_row_with_a_number_is_compared() -> None:
    tables = re.findall(r"^\| (?:what is bounded|time) \|.*\n\|[-|]+\n((?:\|.*\n)+)", ARCHITECTURE, re.MULTILINE)
    assert len(tables) == 2
    for row in "".join(tables).splitlines():
        assert NUMBER_ROW.search(row), row


def test_layers_in_the_architecture_are_those_that_are_linted() -> None:
    block = re.search(r"## Layers.*?```text\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert block is not None
    shown = [re.split(r"\s{2,}", line)[0] for line in block[1].splitlines()]
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    linted = next(it["layers"] for it in tools["importlinter"]["contracts"] if it["id"] == "layers")
    assert shown == [layer.replace("(", "").replace(")", "") for layer in linted]


def test_the_picture_of_imports_is_what_the_code_imports() -> None:
    assert imports.PICTURE.read_text(encoding="utf-8") == imports.drawn(), f"{imports.COMMAND} draws it anew"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_is_named_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4})make ([a-z0-9-]+)", text, re.MULTILINE))
    assert named
    assert named <= targets


def test_the_readme_names_the_options_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    from resolver.__main__ import main

    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    named = set(re.findall(r"nodelocaldns-resolver [^`\n]*?(--[a-z-]+)", README))
    assert named
    assert named <= known
