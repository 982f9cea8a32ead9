"""What the image consists of: all that its programs need, and nothing that only an intruder could use."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver import __version__
from tests.lab.imaged import REPOSITORY, Image, size_of
from tests.lab.reports import report

pytestmark = pytest.mark.e2e

UNCHECKED_HASH = (1).to_bytes(4, "little")  # PEP 552
PYTHON = "usr/lib/python3.11"
PACKAGES = "usr/local/lib/python3.11/dist-packages"


def inside(image: Image, *command: str) -> subprocess.CompletedProcess[str]:
    programs = f"{image.environment['PATH']}:{os.environ['PATH']}"
    return subprocess.run(
        ["chroot", f"--userspec={image.user}", str(image.root), *command],
        capture_output=True, text=True, check=False, env={**image.environment, "LC_ALL": "C", "PATH": programs},
    )  # fmt: skip


def native(root: Path) -> Iterator[Path]:
    """Programs and libraries."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix not in {".py", ".pyc"}:
            with path.open("rb") as opened:
                if opened.read(4) == b"\x7fELF":
                    yield path


def test_both_commands_of_the_wheel_are_there_and_start(image: Image) -> None:
    (metadata,) = (image.root / PACKAGES).glob("nodelocaldns-*.dist-info/entry_points.txt")
    commands = re.findall(r"^([a-z-]+) = ", metadata.read_text(), re.MULTILINE)
    assert commands == ["nodelocaldns-resolver", "nodelocaldns-webhook"]
    said = [inside(image, command, "--version").stdout.strip() for command in commands]
    assert said == [f"nodelocaldns-resolver {__version__} (compiled)", f"nodelocaldns-webhook {__version__}"]


def test_what_only_some_runs_import_is_there_too(image: Image) -> None:
    config = image.root / "tmp" / "webhook.yaml"
    config.write_text("dns: {}\n")
    done = inside(image, "nodelocaldns-webhook", "--config", "/tmp/webhook.yaml", "--audit")
    config.unlink()
    assert "no credentials for the API server" in done.stderr
    authorities = inside(
        image, "python3", "-c", "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    )
    assert int(authorities.stdout) > 100


def test_there_is_no_shell_no_package_manager_and_no_program_but_python(image: Image) -> None:
    programs = {
        path.name for folder in ("usr/bin", "usr/sbin", "usr/local/bin") for path in (image.root / folder).iterdir()
    }
    own = {"nodelocaldns-resolver", "nodelocaldns-webhook", "nodelocaldns-healthcheck"}
    assert programs == {"python3", "python3.11"} | own
    modules = {path.name for folder in (PYTHON, PACKAGES) for path in (image.root / folder).iterdir()}
    assert modules.isdisjoint({"pip", "setuptools", "wheel", "ensurepip", "mypy", "mypyc", "pytest"})


def test_nothing_has_more_rights_than_its_owner_and_only_tmp_is_for_everybody(image: Image) -> None:
    modes = {
        path.relative_to(image.root): path.lstat().st_mode for path in image.root.rglob("*") if not path.is_symlink()
    }
    assert [path for path, mode in modes.items() if mode & 0o6000] == []
    assert [str(path) for path, mode in modes.items() if mode & 0o022] == ["tmp"]
    assert {path.lstat().st_uid for path in image.root.rglob("*")} == {0}


def test_every_library_that_is_needed_is_there(image: Image) -> None:
    (loader,) = (image.root / "lib").glob("*/ld-linux-*.so.*")
    files = [str(path.relative_to(image.root)) for path in native(image.root)]
    assert len(files) > 60
    missing = {}
    for path in files:
        said = inside(image, f"/{loader.relative_to(image.root)}", "--list", f"/{path}").stdout
        if "not found" in said:
            missing[path] = said
    assert missing == {}


def test_every_module_has_bytecode_that_is_believed_without_a_look_at_its_source(image: Image) -> None:
    for folder in (PYTHON, PACKAGES):
        sources = list((image.root / folder).rglob("*.py"))
        assert sources
        for source in sources:
            compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.opt-2.pyc"
            assert compiled.read_bytes()[4:8] == UNCHECKED_HASH, source
    assert list(image.root.rglob("*.opt-1.pyc")) == []


def test_scanners_learn_of_each_package(image: Image) -> None:
    debian = {path.name for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "libssl3", "python3.11-minimal", "libnftables1"} <= debian
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", (REPOSITORY / "requirements/webhook.txt").read_text(), re.MULTILINE)
    texts = [path.read_text() for path in (image.root / PACKAGES).glob("*.dist-info/METADATA")]
    known = {tuple(re.findall(r"^(?:Name|Version): (.+)$", text, re.MULTILINE)[:2]) for text in texts}
    names = {(re.sub("[-_.]+", "-", name).lower(), version) for name, version in known}
    assert names == {*locked, ("nodelocaldns", __version__)}


def test_two_builds_gave_the_same_and_nobody_changed_it_since(image: Image) -> None:
    told = (image.made / "digest").read_text()
    again = subprocess.run(
        ["packaging/image", "digest", str(image.made / "root")],
        cwd=REPOSITORY, capture_output=True, text=True, check=True, env=os.environ | {"SOURCE_DATE_EPOCH": "0"},
    )  # fmt: skip
    assert re.fullmatch("[0-9a-f]{64}\n", told)
    assert again.stdout == told


def test_its_size_is_reported(image: Image) -> None:
    parts = {
        "all": "",
        "Python": "usr/bin",
        "libraries": "usr/lib",
        "of these Python's own modules": PYTHON,
        "Python packages": PACKAGES,
    }
    for name in ("kubernetes_asyncio", "cryptography", "pyroute2", "aiohttp", "resolver", "webhook"):
        parts[f"of these {name}"] = f"{PACKAGES}/{name}"
    sizes = {part: size_of(image.root / place) for part, place in parts.items()}
    report("image", [{"part": part, "MB": size / 1e6} for part, size in sizes.items()])
    assert sizes["all"] < 150e6
