"""Everything that is in a cluster, for comparing what was there before with what is there after."""

from tests.lab.apiserver import ApiServer

# What comes and goes by itself, and what is no object but a report.
_PASSING = {"events", "componentstatuses"}


def objects(api: ApiServer) -> dict[str, str]:
    """UIDs by "resource.group namespace/name", of every resource that can be listed, events excepted."""
    return {
        f"{resource} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}": item["metadata"]["uid"]
        for resource, path in _resources(api)
        for item in api.must("GET", path)["items"]
    }


def _resources(api: ApiServer) -> list[tuple[str, str]]:
    groups = api.must("GET", "/apis")["groups"]
    roots = {"": "/api/v1"} | {each["name"]: f"/apis/{each['preferredVersion']['groupVersion']}" for each in groups}
    return [
        (f"{resource['name']}.{group}".rstrip("."), f"{root}/{resource['name']}")
        for group, root in roots.items()
        for resource in api.must("GET", root)["resources"]
        if "list" in resource["verbs"] and resource["name"] not in _PASSING
    ]
