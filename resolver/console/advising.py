"""The page of `advise`: workloads with verdict, evidence and what opting in would save. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from resolver.survey.advice import Seen, advise

_ORDER = ("safe", "unsafe", "not enough seen", "opted in")


def advices(page: Mapping[str, Any], domain: str, enough: int) -> list[dict[str, Any]]:
    """One entry for each workload, the ones that would save most first."""
    seconds = max(page["seconds"] / page.get("workers", 1), 1)
    weight = page["queries"] / max(page["samples"], 1)
    searches = sorted({search.rstrip(".") for search in page["searches"]})
    found = []
    for (namespace, workload, lean), seen in _by_workload(page["asked"]).items():
        advice = advise(seen, namespace, domain, searches, enough=enough, mean_weight=weight)
        verdict, evidence = advice.verdict, list(advice.evidence)
        if lean:
            verdict, evidence = "opted in", []
        elif not namespace:
            verdict, evidence = (
                "not enough seen",
                ["nobody knows whose address this is (kubernetes.pods, admin.ownersFile)"],
            )
        found.append(
            {
                "namespace": namespace,
                "workload": workload,
                "verdict": verdict,
                "evidence": evidence,
                "questionsPerSecond": round(advice.questions / seconds, 2),
                "savedPerSecond": round(advice.saved / seconds, 2) if verdict != "opted in" else 0.0,
            }
        )
    return sorted(
        found, key=lambda each: (_ORDER.index(each["verdict"]), -each["savedPerSecond"], str(each["workload"]))
    )


def _by_workload(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, bool], list[Seen]]:
    found: dict[tuple[str, str, bool], list[Seen]] = {}
    for row in rows:
        seen = Seen(row["name"].rstrip("."), row["ended"], row["queries"], row["error"])
        found.setdefault((row["namespace"], row["workload"], row["lean"]), []).append(seen)
    return found


def advice_text(found: Sequence[Mapping[str, Any]]) -> str:
    """For people."""
    if not found:
        return "no questions were seen yet\n"
    lines = []
    for each in found:
        who = f"{each['namespace'] or '-'} {each['workload']}"
        rates = f"{each['questionsPerSecond']:.1f}/s asked, {each['savedPerSecond']:.1f}/s saved by the lean profile"
        lines.append(f"{each['verdict']:<16} {who:<50} {rates}")
        lines += [f"{'':<16}   {reason}" for reason in each["evidence"]]
    return "\n".join(lines) + "\n"
