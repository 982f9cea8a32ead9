"""The image's files once per session, and a namespace that plays the node."""

from collections.abc import Iterator

import pytest

from tests import needs
from tests.lab import imaged
from tests.lab.helm import helm
from tests.lab.imaged import Image
from tests.lab.loopback import Upstream, upstream
from tests.lab.netns import Namespace, namespaces


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    needs.require("netns", "debootstrap", "crun", "nft", "openssl")
    helm()  # started now, it is in no namespace that goes away with everything in it
    made = imaged.image(tmp_path_factory.mktemp("image"))
    yield made
    made.remove()


@pytest.fixture
def node(image: Image) -> Iterator[Namespace]:
    """This thread is in it: what a test asks and serves is on the node's loopback."""
    with namespaces("node") as (namespace,), namespace.entered():
        yield namespace


@pytest.fixture
def server(node: Namespace) -> Iterator[Upstream]:
    with upstream() as answering:
        yield answering
