"""The resolver under test as an operator runs it: `python -m resolver --config FILE` in the node's namespace.

Its configuration is a file that the test may replace while it runs; what it says about itself comes from its admin
address.
"""

import contextlib
import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.lab.ask import ask, connected
from tests.lab.netns import ENVIRONMENT, Namespace
from tests.lab.process import Process
from tests.lab.topology import CLUSTER_DNS, LOCAL, LOCAL_V6, WORLD_DNS
from tests.lab.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
ADMIN = ("127.0.0.1", 9253)

PROGRAM = (sys.executable, "-m", "resolver")
CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--")

Configuration = dict[str, Any]


PATIENT: Final = {"attemptTimeout": "4s", "timeout": "4500ms"}
"""Of a zone: a server that gets no turn for a while is asked once, and its answer awaited. Less than dig waits."""


def configuration(
    *, cluster: Mapping[str, Any] | None = None, world: Mapping[str, Any] | None = None, **topics: Mapping[str, Any]
) -> Configuration:
    """resolver.yaml for the lab: the contract's defaults, changed per zone (`cluster`, `world`) and per topic
    (`cache`, `log`).
    """
    cluster_zone = {"names": ["cluster.local", "in-addr.arpa", "ip6.arpa"], "upstreams": [CLUSTER_DNS]}
    world_zone = {"names": ["."], "upstreams": [WORLD_DNS]}
    return {
        "listen": {"addresses": [LOCAL, LOCAL_V6], "port": 53},
        "zones": [{**cluster_zone, **(cluster or {})}, {**world_zone, **(world or {})}],
        "admin": {"address": ADMIN[0], "port": ADMIN[1]},
        **topics,
    }


class Resolver:
    """One resolver process. `first_answer_seconds`: from its start to its first answer to a DNS query. `contained`: it
    is the first process of a PID namespace of its own, as in a container.
    """

    def __init__(
        self,
        node: Namespace,
        folder: Path,
        config: Configuration,
        *,
        measured: bool = True,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = PROGRAM,
        contained: bool = False,
    ) -> None:
        self._node = node
        self.contained = contained
        self.file = folder / "resolver.yaml"
        self.configure(config)
        # Coverage measures the processes that tests start as well; what it adds to memory and start time is not the
        # resolver's.
        inherited = {name: value for name, value in ENVIRONMENT.items() if measured or not name.startswith("COVERAGE_")}
        command = [*(CONTAINER if contained else ()), *program, "--config", str(self.file)]
        everything = {**inherited, **(environment or {})}
        self.process = Process(node, command, folder / "resolver.log", everything, folder=REPOSITORY)
        self.first_answer_seconds = 0.0

    def configure(self, config: Configuration | str) -> None:
        """Put a new configuration in place in one step, as an editor or a ConfigMap does; a string is written as it
        is.
        """
        text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.file)

    def start(self) -> None:
        """Start it; returns when it answers a DNS query and calls itself ready."""
        started = time.monotonic()
        self.process.start(self._answers)
        self.first_answer_seconds = time.monotonic() - started
        wait_until(self._ready, "/ready to say so")

    def succeed(self) -> None:
        """Start it, beside another one or alone; returns when its log says that it has taken the node over."""
        self.process.start(lambda: bool(self.events("started")))

    def events(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of this event, in plain letters. Who waits for it reads the log again and again: other lines
        are not parsed.
        """
        said = self.process.output().splitlines()
        lines = [json.loads(line) for line in said if line.startswith("{") and event in line]
        return [line for line in lines if line["event"] == event]

    def workers(self) -> list[int]:
        """The processes that answer."""
        return _children(self.supervisor)

    @property
    def supervisor(self) -> int:
        """Their parent; in a container it is not the process that was started."""
        return _children(self.process.pid)[0] if self.contained else self.process.pid

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        os.kill(self.supervisor, signal.SIGTERM)
        return self.process.wait()

    def freeze(self, pid: int) -> None:
        """SIGSTOP to one of its processes."""
        os.kill(pid, signal.SIGSTOP)

    def hang_up(self) -> None:
        """SIGHUP to the supervisor."""
        os.kill(self.supervisor, signal.SIGHUP)

    def admin(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body of an admin page."""
        connection = http.client.HTTPConnection(*ADMIN)
        with connected(self._node, *ADMIN, tcp=True) as connection.sock:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels; 0 when there is none."""
        families = text_string_to_metric_families(self.admin("/metrics")[1])
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def resident_bytes(self) -> dict[int, int]:
        """Resident memory by process: the one that was started and all below it."""
        found = {}
        for pid in self._processes():
            status = Path("/proc", str(pid), "status").read_text()
            found[pid] = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        return found

    def has_mapped(self, library: str) -> bool:
        """Whether one of these processes has a library in its memory."""
        return any(library in Path("/proc", str(pid), "maps").read_text() for pid in self._processes())

    def _processes(self) -> list[int]:
        """The process that was started and all below it."""
        found = [self.process.pid]
        for pid in found:  # grows meanwhile
            found.extend(_children(pid))
        return found

    def _ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.admin("/ready")[0] == http.HTTPStatus.OK
        return False

    def _answers(self) -> bool:
        return ask(self._node, LOCAL, "kubernetes.default.svc.cluster.local", patience_seconds=1.0) is not None


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for children in Path("/proc", str(pid), "task").glob("*/children")
        for child in children.read_text().split()
    ]
