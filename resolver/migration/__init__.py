"""From NodeLocal DNSCache to this resolver: a Corefile, or the Kubernetes objects around one, to resolver.yaml.

    tokens -> caddyfile     a text, its words, its blocks: as CoreDNS reads them
    manifests, inputs       what else a file may hold: ConfigMaps, the DaemonSet, Services
    variables, kubedns      what NodeLocal DNSCache puts into its Corefile when it starts
    forwarding, caching,    the plugins whose arguments become keys; the verdicts on all others
      endpoints, plugins
    blocks -> zones         every directive of every block; blocks to zones
    convert                 the whole plan
    writing                 the plan as YAML
    remarks                 what is told of it, by line

Pure, and imported for `--convert-corefile` alone.
"""

from collections.abc import Mapping
from typing import NamedTuple

from resolver.config import ConfigError, load
from resolver.migration.convert import make_plan
from resolver.migration.inputs import MigrationError, read_input
from resolver.migration.remarks import Grade, Remark
from resolver.migration.writing import chart_values, resolver_yaml

__all__ = ["Conversion", "Grade", "MigrationError", "Remark", "convert"]

RESOLVER = "resolver"
FORMS = (RESOLVER, "values")


class Conversion(NamedTuple):
    """A resolver.yaml that --check finds nothing wrong with, or values of the chart, and what there is to say of it."""

    text: str
    remarks: tuple[Remark, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing was left out or changed."""
        return all(each.grade is Grade.NOTE for each in self.remarks)


def convert(text: str, file: str, values: Mapping[str, str], *, form: str = RESOLVER) -> Conversion:
    """`file` is what messages call the text, `values` are those of variables by name, `form` one of FORMS. Raises
    MigrationError alone.
    """
    plan = make_plan(read_input(text, file), values)
    written = resolver_yaml(plan, file)
    try:
        load(written, file)
    except ConfigError as error:
        raise MigrationError(f"{error}\n{file}: the result would be no valid resolver.yaml") from None
    return Conversion(written if form == RESOLVER else chart_values(plan, file), plan.remarks)
