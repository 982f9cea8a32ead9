"""The Dockerfile says no more than packaging/image, and both are what .ci/image runs and tests."""

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SCRIPT = (ROOT / "packaging" / "image").read_text(encoding="utf-8")
PROOF = (ROOT / ".ci" / "image").read_text(encoding="utf-8")
CHART = ROOT / "charts" / "nodelocaldns"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def instructions(name: str) -> list[str]:
    """The arguments of all instructions of this name, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(rf"^{name} (.+)$", joined, re.MULTILINE)


def steps(text: str) -> list[str]:
    """The steps that are run, in order."""
    return re.findall(r"^ *(?:RUN |PYTHONHASHSEED=7 )?packaging/image ([a-z]+)", text, re.MULTILINE)


def copied() -> list[str]:
    return [source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]]


def test_everything_that_is_copied_exists_and_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert set(copied()) == sent
    assert all((ROOT / source).exists() for source in copied())


def test_the_tested_build_has_the_same_inputs() -> None:
    listed = re.findall(r'^(?:locks|sources)="(.+)"$', PROOF, re.MULTILINE)
    assert {"packaging/image", *" ".join(listed).split()} == set(copied())


def test_the_dockerfile_takes_the_steps_of_the_script_and_nothing_else() -> None:
    taken = steps(DOCKERFILE)
    known = re.findall(r"^#   ([a-z]+) ", SCRIPT, re.MULTILINE)
    assert len(taken) == len(instructions("RUN"))
    assert taken == [step for step in known if step not in {"same", "digest"}]


def test_the_tested_build_takes_the_same_steps_in_the_same_order() -> None:
    taken = [step for step in dict.fromkeys(steps(PROOF)) if step not in {"same", "digest"}]
    assert taken == steps(DOCKERFILE)


def test_the_base_is_the_release_whose_python_the_image_runs() -> None:
    (base,) = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE, re.MULTILINE)
    (release,) = re.findall(r"^release=(\S+)$", SCRIPT, re.MULTILINE)
    (python,) = re.findall(r"^python=(\S+)$", SCRIPT, re.MULTILINE)
    assert base.partition("@")[0] == f"debian:{release}-slim"
    healthcheck = (ROOT / "packaging" / "healthcheck.py").read_text(encoding="utf-8")
    assert healthcheck.startswith(f"#!/usr/bin/{python} ")


def test_what_runs_is_a_list_of_arguments_for_there_is_no_shell() -> None:
    assert instructions("CMD") == ['["nodelocaldns-resolver"]']
    (check,) = instructions("HEALTHCHECK")
    assert check.endswith('CMD ["nodelocaldns-healthcheck"]')


def test_nobody_is_root_unless_the_pod_says_so() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert instructions("USER") == [f"{values['resolver']['user']}:{values['resolver']['user']}"]


def test_packages_of_python_are_installed_by_hash_only() -> None:
    calls = re.findall(r'/bin/pip".* (install .+)$', re.sub(r"\\\n\s*", " ", SCRIPT), re.MULTILINE)
    assert len(calls) == 2
    assert all("--require-hashes" in call and "--only-binary :all:" in call for call in calls)


def test_a_step_that_does_not_exist_and_a_time_that_is_missing_are_refused() -> None:
    def said(*arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [ROOT / "packaging" / "image", *arguments], capture_output=True, text=True, check=False,
            env={"PATH": "/usr/bin:/bin"} | environment,
        )  # fmt: skip
        return done.returncode, done.stderr

    assert said("debian", "/nowhere") == (
        1,
        "packaging/image: SOURCE_DATE_EPOCH is not set: the time of the image, in seconds\n",
    )
    assert said("fail", SOURCE_DATE_EPOCH="1") == (1, "packaging/image: no such step: fail\n")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_whose_version_is_named(workflow: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)$", workflow.read_text(encoding="utf-8"), re.MULTILINE)
    assert used
    for action, comment in used:
        assert action.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
        assert action.startswith("./") or re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_has_the_rights_that_it_names_and_no_others(workflow: Path) -> None:
    said = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert said["permissions"] == {}
    assert all("permissions" in job for job in said["jobs"].values())


def test_what_is_not_named_is_not_sent_to_the_builder() -> None:
    ignored = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] not in "#!"
    ]
    assert any(fnmatch.fnmatch("tests", pattern) for pattern in ignored)
    assert any(fnmatch.fnmatch("resolver/__pycache__", pattern) for pattern in ignored)
