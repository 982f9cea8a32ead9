"""Debian's Prometheus and its promtool: expressions and rules checked, stories of rules played, a server on loopback.

The server scrapes what it is told to, evaluates rules, and says over its API what fires.
"""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from tests.lab.apiserver import OnThisMachine
from tests.lab.process import Process
from tests.needs import program
from tests.network import free_port

Rules = Mapping[str, Any]
"""A file of rules: {"groups": [...]}."""


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it; what it says is in stdout and stderr. Skips the test where there is none."""
    command = [str(program("promtool")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def check_rules(rules: Rules, folder: Path) -> str:
    """What promtool has against a file of rules, "" for nothing."""
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump(rules))
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", file)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def play(folder: Path, *plays: tuple[Rules, Iterable[Mapping[str, Any]]]) -> str:
    """What promtool finds wrong when rules meet stories (`tests` of its unit tests), "" for nothing."""
    files = []
    for number, (rules, stories) in enumerate(plays):
        (folder / f"rules-{number}.yaml").write_text(yaml.safe_dump(rules))
        document = {"rule_files": [f"rules-{number}.yaml"], "evaluation_interval": "1m", "tests": list(stories)}
        files.append(folder / f"stories-{number}.yaml")
        files[-1].write_text(yaml.safe_dump(document, width=1000))
    done = promtool("test", "rules", *files)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line and "SUCCESS" not in line]
    return "" if done.returncode == 0 else "\n".join(line for line in said if not line.startswith("Unit Testing"))


class Prometheus:
    """One server that scrapes and evaluates every second; it runs inside its `with`."""

    def __init__(self, folder: Path, scrape_configs: list[dict[str, Any]], rules: Rules) -> None:
        self._port = free_port()
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": scrape_configs,
        }
        file = folder / "prometheus.yaml"
        file.write_text(yaml.safe_dump(config))
        command = [
            str(program("prometheus")),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        here: Any = OnThisMachine()
        self.process = Process(here, command, folder / "prometheus.log")

    def __enter__(self) -> Self:
        self.process.start(self._ready)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now."""
        result: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return result

    def firing(self) -> dict[str, list[dict[str, Any]]]:
        """The alerts that fire, by name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for alert in self._get("alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert)
        return found

    def troubled(self) -> list[dict[str, Any]]:
        """Rules that could not be evaluated."""
        groups = self._get("rules")["groups"]
        return [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]

    def targets(self) -> list[dict[str, Any]]:
        """What is scraped."""
        found: list[dict[str, Any]] = self._get("targets", state="active")["activeTargets"]
        return found

    def dropped(self) -> list[dict[str, Any]]:
        """What was discovered and is not scraped."""
        found: list[dict[str, Any]] = self._get("targets", state="dropped")["droppedTargets"]
        return found

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as reply:
            data: dict[str, Any] = json.load(reply)["data"]
        return data

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False
