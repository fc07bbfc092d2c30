"""The CustomResourceDefinitions of MetalLB's manifest, as far as the lab and `kubectl get` need them.

Fields and columns of api/v1beta1 at v0.15.2; what belongs to BGP is there as in every installation, with open schemas.
"""

from __future__ import annotations

from l2probe.lab.controllers.crds import SELECTOR, column
from l2probe.lab.controllers.kinds import CRD
from l2probe.lab.controllers.objects import Obj

_TEXT: Obj = {"type": "string"}
_COUNT: Obj = {"type": "integer", "format": "int64"}
_TEXTS: Obj = {"type": "array", "items": _TEXT}
_SELECTORS: Obj = {"type": "array", "items": SELECTOR}
_OPEN: Obj = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _object(*required: str, **properties: Obj) -> Obj:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


_POOL_SPEC = _object(
    "addresses",
    addresses=_TEXTS,
    autoAssign={"type": "boolean", "default": True},
    avoidBuggyIPs={"type": "boolean", "default": False},
    serviceAllocation=_object(
        priority={"type": "integer"},
        namespaces=_TEXTS,
        namespaceSelectors=_SELECTORS,
        serviceSelectors=_SELECTORS,
    ),
)
_POOL_STATUS = _object(
    assignedIPv4=_COUNT,
    assignedIPv6=_COUNT,
    availableIPv4=_COUNT,
    availableIPv6=_COUNT,
)
_ADVERTISEMENT_SPEC = _object(
    ipAddressPools=_TEXTS,
    ipAddressPoolSelectors=_SELECTORS,
    nodeSelectors=_SELECTORS,
    interfaces=_TEXTS,
)
_L2_STATUS = _object(
    node=_TEXT,
    serviceName=_TEXT,
    serviceNamespace=_TEXT,
    interfaces={"type": "array", "items": _object(name=_TEXT)},
)
_SERVICE_COLUMNS = (
    column("Service Name", ".status.serviceName"),
    column("Service Namespace", ".status.serviceNamespace"),
)
_POOL_COLUMNS = (
    column("Auto Assign", ".spec.autoAssign", "boolean"),
    column("Avoid Buggy IPs", ".spec.avoidBuggyIPs", "boolean"),
    column("Addresses", ".spec.addresses"),
)
_ADVERTISEMENT_COLUMNS = (
    column("IPAddressPools", ".spec.ipAddressPools"),
    column("IPAddressPool Selectors", ".spec.ipAddressPoolSelectors"),
    column("Interfaces", ".spec.interfaces"),
)


def _definition(
    kind: str,
    plural: str,
    columns: tuple[Obj, ...] = (),
    *,
    spec: Obj = _OPEN,
    status: Obj = _OPEN,
    versions: tuple[str, ...] = ("v1beta1",),
) -> Obj:
    properties = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": {"type": "object"}, "spec": spec, "status": status}
    served = [
        {
            "name": name,
            "served": True,
            "storage": name == versions[0],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
            "subresources": {"status": {}},
            **({"additionalPrinterColumns": list(columns)} if columns else {}),
        }
        for name in versions
    ]
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": CRD.api_version,
        "kind": CRD.name,
        "metadata": {"name": f"{plural}.metallb.io"},
        "spec": {"group": "metallb.io", "names": names, "scope": "Namespaced", "versions": served},
    }


def definitions() -> tuple[Obj, ...]:
    """Return all definitions of the manifest."""
    announced = (column("Allocated Node", ".status.node"), *_SERVICE_COLUMNS)
    peered = (column("Node", ".status.node"), *_SERVICE_COLUMNS)
    return (
        _definition("BFDProfile", "bfdprofiles"),
        _definition("BGPAdvertisement", "bgpadvertisements"),
        _definition("BGPPeer", "bgppeers", versions=("v1beta2", "v1beta1")),
        _definition("Community", "communities"),
        _definition("IPAddressPool", "ipaddresspools", _POOL_COLUMNS, spec=_POOL_SPEC, status=_POOL_STATUS),
        _definition("L2Advertisement", "l2advertisements", _ADVERTISEMENT_COLUMNS, spec=_ADVERTISEMENT_SPEC),
        _definition("ServiceBGPStatus", "servicebgpstatuses", peered),
        _definition("ServiceL2Status", "servicel2statuses", announced, status=_L2_STATUS),
    )
