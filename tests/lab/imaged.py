"""Containers with the image's own files: pods of the rendered chart as a node runs them, nothing of this machine.

The image comes from .ci/image: the steps of the Dockerfile, taken in a Debian that debootstrap made.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.container import Container
from tests.lab.netns import ENVIRONMENT, Namespace
from tests.lab.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Image:
    """The image as files, and what the Dockerfile says about running them."""

    root: Path
    environment: Mapping[str, str]
    user: int
    made: Path
    """The folder of .ci/image, which nobody may change."""

    def remove(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.root)


def image(folder: Path) -> Image:
    """The image of this state of the sources, its root below `folder`; made if it is not there yet."""
    told = subprocess.run([".ci/image", "first"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout
    made, root = Path(told.strip()), folder / "root"
    # A runtime makes the places of mounts, which changes no file: links are enough to keep the original.
    link = "--link" if made.stat().st_dev == folder.stat().st_dev else "--reflink=auto"
    subprocess.run(["cp", "--archive", link, str(made / "root"), str(root)], check=True)
    said = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    (settings,) = re.findall(r"^ENV (.+)$", said, re.MULTILINE)
    (user,) = re.findall(r"^USER (\d+)", said, re.MULTILINE)
    return Image(root, dict(re.findall(r"([A-Z_]+)=(\S+)", settings)), int(user), made)


class ImageContainer(Container):
    """A container whose root is the image."""

    image: Image

    @property
    def user(self) -> int:
        return int(self._config()["process"]["user"]["uid"])

    @property
    def rights(self) -> list[str]:
        """Its capabilities, without CAP_."""
        return [right.removeprefix("CAP_") for right in self._config()["process"]["capabilities"]["bounding"]]

    def processes(self) -> list[int]:
        """All of its processes as the node sees them, the first one first."""
        found = [self._pid()]
        for pid in found:  # grows meanwhile
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return found

    def has_said(self, event: str) -> bool:
        """Whether its log has this event."""
        return f'"event":"{event}"' in self.output()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A further command in the running container, to its end."""
        name = shlex.quote(f"{self.pod['metadata']['uid'][:13]}-{self.spec['name']}")
        settings = " ".join(f"--env {shlex.quote(f'{key}={value}')}" for key, value in self.environment.items())
        runtime = f"crun --root {self.folder}/state exec {settings} {name} {shlex.join(command)}"
        whole = f"umount -q /sys/fs/cgroup/unified 2>/dev/null; exec {runtime}"
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", whole], capture_output=True, text=True, check=False, env=ENVIRONMENT
        )

    def stop(self) -> int:
        """SIGTERM to the first process; the exit status."""
        os.kill(self._pid(), signal.SIGTERM)
        return self.process.wait()

    def _write_root(self) -> None:
        """Nothing: it is there."""

    def _command(self) -> list[str]:
        return [*self.spec["command"], *self.spec.get("args", [])]

    def _binds(self) -> list[dict[str, Any]]:
        return [
            {"destination": inside, "type": "bind", "source": str(path), "options": ["rbind", "ro" if fixed else "rw"]}
            for inside, (path, fixed) in self.mounts.items()
        ]

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        config["root"]["path"] = str(self.image.root)
        return config


def of_workload(
    image: Image, node: Namespace, folder: Path, name: str, workload: Document, objects: list[Document], **given: str
) -> ImageContainer:
    """The container of a DaemonSet or Deployment of the chart. ConfigMaps come from `objects`; other volumes are
    folders below `folder`, the same one for each container. `given`: environment that a kubelet adds.
    """
    pod = {"metadata": {"uid": name}, "spec": workload["spec"]["template"]["spec"]}
    (spec,) = pod["spec"]["containers"]
    volumes = {volume["name"]: _volume(volume, folder, objects) for volume in pod["spec"]["volumes"]}
    mounts = {
        mount["mountPath"]: (volumes[mount["name"]], mount.get("readOnly", False)) for mount in spec["volumeMounts"]
    }
    own = {entry["name"]: entry["value"] for entry in spec.get("env", [])}
    container = ImageContainer(pod, spec, node, folder / name, {**image.environment, **own, **given}, mounts)
    container.image = image
    return container


def _volume(volume: Document, folder: Path, objects: list[Document]) -> Path:
    place = Path(folder, "volumes", volume["name"])
    place.mkdir(parents=True, exist_ok=True)
    if "configMap" not in volume:
        assert volume.keys() & {"hostPath", "secret"}, volume
        return place
    (text,) = [
        each["data"]
        for each in objects
        if (each["kind"], each["metadata"]["name"]) == ("ConfigMap", volume["configMap"]["name"])
    ]
    for key, value in text.items():
        (place / key).write_text(value)
    return place


@contextlib.contextmanager
def started(container: ImageContainer, ready: Callable[[], Any]) -> Iterator[ImageContainer]:
    """The container, ready, and gone at the end; AssertionError with its log when it ends before it is ready."""

    def still() -> bool:
        status = container.ended()
        assert status is None, f"{container.spec['name']} ended with {status}:\n{container.output()[-2000:]}"
        return True

    try:
        container.start()
        wait_until(lambda: still() and ready(), f"{container.spec['name']}: {container.process.log}")
        yield container
    finally:
        container.kill()


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
