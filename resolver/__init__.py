"""A DNS cache for one Kubernetes node. docs/architecture.md says how its parts fit together."""

__version__ = "0.1.0"
