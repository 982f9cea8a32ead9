"""Real servers that the tests run against and no distribution ships in the version wanted."""

from pathlib import Path

from tests.servers.build import build


def coredns() -> Path:
    """CoreDNS as tests/servers/coredns pins it, built if necessary. Raises CannotBuildError."""
    return build(Path(__file__).parent / "coredns")
