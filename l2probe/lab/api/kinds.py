"""Which kinds are served: the built-in ones, and those that CustomResourceDefinitions add and take away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from l2probe.lab.api.objects import Obj, dig, name_of
from l2probe.lab.api.schema import ANY, definition_name, definitions, with_type_meta
from l2probe.lab.api.status import Resource

ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CRD_GROUP: Final = "apiextensions.k8s.io"

Storage = tuple[str, str]
"""Where objects of a kind are kept: group and plural; all versions of a kind share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A served kind in one version.

    `returned`: DELETE answers the object instead of a Status. `strict_version`: an update must carry a resourceVersion.
    `upsert`: PUT creates. `generation`: spec changes are counted. `actions`: subresources besides status.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    verbs: tuple[str, ...] = ALL_VERBS
    actions: tuple[str, ...] = ()
    returned: bool = False
    strict_version: bool = False
    upsert: bool = False
    generation: bool = False
    custom: bool = False
    columns: tuple[Obj, ...] = ()
    custom_schema: Obj | None = field(default=None, hash=False, compare=False)
    list_kind: str = ""
    deprecated: bool = False

    @property
    def storage(self) -> Storage:
        """Where its objects are kept."""
        return self.group, self.plural

    @property
    def resource(self) -> Resource:
        """How messages name it."""
        return Resource(self.group, self.plural)

    @property
    def api_version(self) -> str:
        """`v1` or `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_name(self) -> str:
        """The kind of its lists."""
        return self.list_kind or f"{self.kind}List"

    @property
    def schema(self) -> Obj:
        """Its schema: the CRD's, or the published definition."""
        if self.custom:
            return self.custom_schema or ANY
        name = definition_name(self.group, self.version, self.kind)
        return definitions()[name] if name else ANY

    def shown(self, obj: Obj) -> Obj:
        """Return the object as this version presents it; only apiVersion differs (conversion strategy None)."""
        rest = {key: value for key, value in obj.items() if key not in {"kind", "apiVersion"}}
        return {"kind": self.kind, "apiVersion": self.api_version, **rest}


CORE: Final = ""
APPS: Final = "apps"
RBAC: Final = "rbac.authorization.k8s.io"
AUTHZ: Final = "authorization.k8s.io"
ONLY_CREATE: Final = ("create",)

BUILT_IN: Final = (
    Kind(group=CORE, version="v1", kind="ConfigMap", plural="configmaps", short_names=("cm",)),
    Kind(group=CORE, version="v1", kind="Endpoints", plural="endpoints", short_names=("ep",), singular="endpoints"),
    Kind(group=CORE, version="v1", kind="Event", plural="events", short_names=("ev",), upsert=True),
    Kind(
        group=CORE,
        version="v1",
        kind="Namespace",
        plural="namespaces",
        namespaced=False,
        short_names=("ns",),
        status=True,
        returned=True,
        actions=("finalize",),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    ),
    Kind(group=CORE, version="v1", kind="Node", plural="nodes", namespaced=False, short_names=("no",), status=True),
    Kind(
        group=CORE,
        version="v1",
        kind="Pod",
        plural="pods",
        short_names=("po",),
        categories=("all",),
        status=True,
        returned=True,
        generation=True,
        actions=("binding", "eviction", "log"),
    ),
    Kind(group=CORE, version="v1", kind="Secret", plural="secrets"),
    Kind(
        group=CORE,
        version="v1",
        kind="Service",
        plural="services",
        short_names=("svc",),
        categories=("all",),
        status=True,
        returned=True,
    ),
    Kind(group=CORE, version="v1", kind="ServiceAccount", plural="serviceaccounts", short_names=("sa",), returned=True),
    Kind(
        group=APPS,
        version="v1",
        kind="DaemonSet",
        plural="daemonsets",
        short_names=("ds",),
        categories=("all",),
        status=True,
        generation=True,
    ),
    Kind(
        group=APPS,
        version="v1",
        kind="Deployment",
        plural="deployments",
        short_names=("deploy",),
        categories=("all",),
        status=True,
        generation=True,
    ),
    Kind(group="discovery.k8s.io", version="v1", kind="EndpointSlice", plural="endpointslices", generation=True),
    Kind(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases", upsert=True, strict_version=True),
    Kind(group=RBAC, version="v1", kind="ClusterRole", plural="clusterroles", namespaced=False, upsert=True),
    Kind(
        group=RBAC, version="v1", kind="ClusterRoleBinding", plural="clusterrolebindings", namespaced=False, upsert=True
    ),
    Kind(group=RBAC, version="v1", kind="Role", plural="roles", upsert=True),
    Kind(group=RBAC, version="v1", kind="RoleBinding", plural="rolebindings", upsert=True),
    Kind(
        group=CRD_GROUP,
        version="v1",
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        status=True,
        strict_version=True,
        generation=True,
    ),
    Kind(
        group=AUTHZ,
        version="v1",
        kind="SelfSubjectAccessReview",
        plural="selfsubjectaccessreviews",
        namespaced=False,
        verbs=ONLY_CREATE,
    ),
    Kind(
        group=AUTHZ,
        version="v1",
        kind="SelfSubjectRulesReview",
        plural="selfsubjectrulesreviews",
        namespaced=False,
        verbs=ONLY_CREATE,
    ),
    Kind(
        group="authentication.k8s.io",
        version="v1",
        kind="SelfSubjectReview",
        plural="selfsubjectreviews",
        namespaced=False,
        verbs=ONLY_CREATE,
    ),
)


def custom_kinds(crd: Obj) -> Iterator[Kind]:
    """Yield the kind in each served version of a CustomResourceDefinition."""
    spec, names = crd["spec"], crd["spec"]["names"]
    for version in spec["versions"]:
        if version.get("served"):
            yield Kind(
                group=spec["group"],
                version=version["name"],
                kind=names["kind"],
                plural=names["plural"],
                namespaced=spec["scope"] == "Namespaced",
                singular=names.get("singular") or names["kind"].lower(),
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                status=dig(version, "subresources", "status") is not None,
                strict_version=True,
                generation=True,
                custom=True,
                columns=tuple(version.get("additionalPrinterColumns") or ()),
                custom_schema=with_type_meta(dig(version, "schema", "openAPIV3Schema")),
                list_kind=names.get("listKind") or "",
                deprecated=bool(version.get("deprecated")),
            )


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Return a sort key that puts the preferred version first: v2, v1, v1beta1, v1alpha1 (apimachinery pkg/version)."""
    major, stage, minor = version.removeprefix("v"), 0, "0"
    for rank, word in ((1, "beta"), (2, "alpha")):
        if word in major:
            major, _, minor = major.partition(word)
            stage = rank
    if not (major.isdigit() and minor.isdigit()):
        return 3, 0, 0, version
    return stage, -int(major), -int(minor), version


class Kinds:
    """The kinds served now. `changed` is called after each change."""

    def __init__(self) -> None:
        self._built_in = {(kind.group, kind.version, kind.plural): kind for kind in BUILT_IN}
        self._custom: dict[str, tuple[Kind, ...]] = {}
        self._served = dict(self._built_in)
        self.changed: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._served.values())

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind of a URL."""
        return self._served.get((group, version, plural))

    def named(self, group: str, kind: str) -> Kind | None:
        """Return a kind by group and name, in its preferred version."""
        found = [each for each in self if (each.group, each.kind) == (group, kind)]
        return min(found, key=lambda each: version_priority(each.version), default=None)

    def versions(self, group: str) -> list[str]:
        """Return a group's versions, preferred first; empty when it is not served."""
        return sorted({kind.version for kind in self if kind.group == group}, key=version_priority)

    def groups(self) -> list[str]:
        """Return all served groups, core first."""
        return list(dict.fromkeys(kind.group for kind in self))

    def of(self, group: str, version: str) -> list[Kind]:
        """Return the kinds of one group version."""
        return sorted(
            (kind for kind in self if (kind.group, kind.version) == (group, version)), key=lambda kind: kind.plural
        )

    def stored(self) -> Iterable[Kind]:
        """Return each kind that has objects once, in its preferred version."""
        best: dict[Storage, Kind] = {}
        for kind in sorted(self, key=lambda kind: version_priority(kind.version)):
            if "list" in kind.verbs:
                best.setdefault(kind.storage, kind)
        return best.values()

    def define(self, crd: Obj) -> None:
        """Serve what this CustomResourceDefinition describes, instead of what an older one of its name did."""
        self._custom[name_of(crd)] = tuple(custom_kinds(crd))
        self._rebuild()

    def undefine(self, name: str) -> None:
        """Stop serving the kinds of this CustomResourceDefinition."""
        self._custom.pop(name, None)
        self._rebuild()

    def _rebuild(self) -> None:
        self._served = dict(self._built_in)
        for kinds in self._custom.values():
            self._served.update({(kind.group, kind.version, kind.plural): kind for kind in kinds})
        self.changed()
