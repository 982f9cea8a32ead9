"""Real servers that the tests run against and no distribution ships in the version wanted."""

from pathlib import Path

from tests.servers.build import build


def coredns() -> Path:
    """CoreDNS as tests/servers/coredns pins it, built if necessary. Raises CannotBuildError."""
    return build(Path(__file__).parent / "coredns")


def etcd() -> Path:
    """etcd as tests/servers/etcd pins it, built if necessary. Raises CannotBuildError."""
    return build(Path(__file__).parent / "etcd")


def kube_apiserver(name: str = "kubeapiserver") -> Path:
    """The API server that the folder `name` pins, built if necessary: the newest, or `kubeapiserver135` from before
    policies could change pods. Raises CannotBuildError.
    """
    return build(Path(__file__).parent / name)
