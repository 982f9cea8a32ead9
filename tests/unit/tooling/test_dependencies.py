"""What runs beside our code is locked by hash, has a licence that we may use, and a reason that is written down."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
LOCKS = sorted(ROOT.glob("requirements/*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ([a-z0-9-]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TABLE = {name: (licence, why) for name, licence, why in ROW.findall(PAGE) if name != "package"}
ALLOWED = {"Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"}
OLD_NAMES = {"Apache 2.0": "Apache-2.0", "MIT License": "MIT"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: Path) -> dict[str, int]:
    """Packages, with the number of their hashes; fails for a line that pins nothing."""
    text = re.sub(r"\s*#.*", "", lock.read_text(encoding="utf-8")).replace("\\\n", " ")
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[\w,]+\])?==\S+((?:\s+--hash=sha256:[0-9a-f]{64})+)", line)
        assert match, f"{lock.name}: {line[:80]}"
        found[plain(match[1])] = match[2].count("--hash")
    return found


def imported(package: str) -> set[str]:
    """Distributions that a package of ours imports from."""
    modules: set[str] = set()
    for path in (ROOT / package).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                node.body = [ast.Pass()]  # for who checks types: never run
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    known = packages_distributions()
    return {
        plain(known[module][0]) if module in known else module
        for module in modules - set(sys.stdlib_module_names) - {"resolver", "webhook"}
    }


def named(requirements: list[str]) -> set[str]:
    return {plain(re.split(r"[<>=!~\[; ]", each)[0]) for each in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_of_a_lock_is_pinned_with_hashes(lock: Path) -> None:
    assert min(locked(lock).values()) >= 1


def test_what_is_imported_is_what_is_asked_for_and_locked() -> None:
    wanted = named(PROJECT["dependencies"])
    assert imported("resolver") == wanted == set(locked(ROOT / "requirements" / "run.txt"))
    of_webhook = named(PROJECT["optional-dependencies"]["webhook"])
    assert imported("webhook") - wanted == of_webhook
    assert wanted | of_webhook <= set(locked(ROOT / "requirements" / "webhook.txt"))


def test_whatever_is_locked_has_its_reason_and_nothing_else_has() -> None:
    assert set(TABLE) == set(locked(ROOT / "requirements" / "webhook.txt"))
    assert all(why.strip() for _, why in TABLE.values())


@pytest.mark.parametrize("name", TABLE)
def test_its_licence_is_the_one_on_the_page_and_one_that_we_may_use(name: str) -> None:
    licence = TABLE[name][0].strip()
    told = metadata(name).json
    said = str(told.get("license_expression") or told.get("license") or "")
    assert OLD_NAMES.get(said, said) == licence
    assert any(set(each.split(" AND ")) <= ALLOWED for each in licence.split(" OR "))


def test_what_is_installed_goes_together() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "No broken requirements found.\n")


def test_every_lock_is_audited_every_night_and_when_it_changes() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yml").read_text(encoding="utf-8"))
    when = workflow[True]  # "on" in YAML 1.1
    assert when["schedule"]
    assert all("requirements/**" in when[each]["paths"] for each in ("push", "pull_request"))
    run = workflow["jobs"]["audit"]["steps"][-1]["run"]
    assert "for lock in requirements/*.txt" in run
    assert {"--strict", "--require-hashes"} <= set(run.split())


@pytest.mark.parametrize("workflow", sorted(ROOT.glob(".github/workflows/*.yml")), ids=lambda path: path.name)
def test_no_workflow_uses_what_somebody_else_can_change(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    for used in re.findall(r"uses: (\S+)", text):
        assert used.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used), used
    assert yaml.safe_load(text)["permissions"] == {}


def test_a_release_has_an_sbom_and_a_statement_of_how_it_was_built() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "--attest type=sbom" in text
    assert "--attest type=provenance" in text
