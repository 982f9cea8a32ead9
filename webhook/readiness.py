"""Whether the API server may call: a valid certificate that it can verify, and something to inject. Pure.

An API server that is away makes nobody unready: what was known last still holds, and a webhook that leaves its Service
for such a reason would be gone exactly when the API server comes back. It is told in the detail.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from webhook.pki import is_verified_by
from webhook.state import State


@dataclass(frozen=True, slots=True)
class Check:
    """One line of /readyz. A check that is not `needed` is for people only."""

    name: str
    ok: bool
    detail: str
    needed: bool = True


def checks(state: State, chain: str, *, certificate_is_valid: bool, not_after: datetime | None) -> list[Check]:
    """All checks, in the order in which they are shown. `chain` is the serving certificate with its chain, in PEM."""
    return list(_checks(state, chain, certificate_is_valid, not_after))


def is_ready(found: list[Check]) -> bool:
    """Whether every check that is needed is well."""
    return all(check.ok for check in found if check.needed)


def text(found: list[Check]) -> str:
    """One line for each."""
    lines = [f"[{'+' if check.ok else '-' if check.needed else '!'}] {check.name}: {check.detail}" for check in found]
    return "\n".join([*lines, "ready" if is_ready(found) else "not ready"]) + "\n"


def _checks(state: State, chain: str, valid: bool, not_after: datetime | None) -> Iterator[Check]:  # noqa: FBT001 - private
    yield Check("configuration", True, "loaded")
    yield Check("certificate", valid, f"valid until {not_after:%Y-%m-%dT%H:%M:%SZ}" if not_after else "none yet")
    yield _bundle(state, chain)
    addresses = ", ".join(state.dns.cluster_dns)
    yield Check("cluster DNS", bool(addresses), addresses or "no address known")
    yield Check("running", not state.draining, "stopping" if state.draining else "yes")
    for part, what in sorted(state.troubles.items()):
        yield Check(part, False, what, needed=False)


def _bundle(state: State, chain: str) -> Check:
    if state.published is None:
        return Check("caBundle", True, "not looked at: no access to the API server", needed=False)
    if not state.published:
        return Check("caBundle", False, "the MutatingWebhookConfiguration does not exist")
    ok = bool(chain) and all(is_verified_by(chain, each) for each in state.published)
    return Check("caBundle", ok, "verifies the certificate" if ok else "does not verify the certificate")
