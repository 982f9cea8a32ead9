"""Real servers that the tests run against and no distribution ships in the version wanted."""

from pathlib import Path

from tests.servers.build import build

HERE = Path(__file__).parent


def coredns() -> Path:
    """CoreDNS as tests/servers/coredns pins it, built if necessary. Raises CannotBuildError."""
    return build(HERE / "coredns")


def etcd() -> Path:
    """etcd as tests/servers/etcd pins it, built if necessary. Raises CannotBuildError."""
    return build(HERE / "etcd")


def kube_apiserver() -> Path:
    """The API server as tests/servers/kubernetes pins it, built if necessary. Raises CannotBuildError."""
    return build(HERE / "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver")


def kube_apiserver_before_policies() -> Path:
    """The API server of a Kubernetes in which policies cannot change pods. Raises CannotBuildError."""
    return build(HERE / "kubeapiserver135")


def kube_controller_manager() -> Path:
    """The controllers beside `kube_apiserver`, built if necessary. Raises CannotBuildError."""
    return build(HERE / "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager")


def helm() -> Path:
    """Helm's command as tests/servers/helm pins it, built if necessary. Raises CannotBuildError."""
    return build(HERE / "helm", "helm.sh/helm/v4/cmd/helm")


def kube_scheduler() -> Path:
    """The scheduler beside `kube_apiserver`, built if necessary. Raises CannotBuildError."""
    return build(HERE / "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler")


def coredns_for_kubernetes() -> Path:
    """CoreDNS that answers from the API server, built if necessary. Raises CannotBuildError."""
    return build(HERE / "corednskubernetes")
