"""The words that pods, namespaces and clusters use with the webhook: annotations, labels, paths. A contract with users.

Pure constants, so that the code, the generated manifests and the tests cannot spell them differently.
"""

from typing import Final

INJECT: Final = "nodelocaldns.io/inject"
"""Annotation of a pod, label of a namespace: "true" opts in; "false" on a pod opts it out again."""
PROFILE: Final = "nodelocaldns.io/profile"
"""Annotation of a pod: a value of `webhook.profile.Profile`."""
NDOTS: Final = "nodelocaldns.io/ndots"
"""Annotation of a pod: a number from 0 to 15 instead of the configured ndots."""
SEARCHES: Final = "nodelocaldns.io/searches"
"""Annotation of a pod: search domains with commas between, instead of the profile's; empty for none."""
STATUS: Final = "nodelocaldns.io/status"
"""Annotation that an injected pod carries."""
INJECTED: Final = "injected"
"""The value of STATUS, and the result of a decision that changes the pod."""
SKIPPED: Final = "skipped"
"""The result of a decision that leaves the pod as it is."""

MIRROR: Final = "kubernetes.io/config.mirror"
"""Annotation of a mirror pod: the API server's picture of a static pod, which changes nothing on the node."""
OS_LABEL: Final = "kubernetes.io/os"
"""Label of nodes: the operating system."""
NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
"""Label that every namespace carries: its name."""

MUTATE_PATH: Final = "/mutate"
"""Called for pods that ask for injection themselves."""
MUTATE_NAMESPACE_PATH: Final = "/mutate/namespace"
"""Called for pods whose namespace opted in: the API server has looked at its labels, which a review does not carry."""
