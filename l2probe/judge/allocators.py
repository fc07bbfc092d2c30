"""What MetalLB's controller and kube-vip's cloud provider say in a warning event when they give no address. Pure.

Texts: internal/allocator of MetalLB 0.15 (recorded from a real one) and pkg/provider of kube-vip-cloud-provider 0.0.12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from l2probe.model import Condition

_USED_UP = "delete Services that no longer need an address."
_MEANINGS: Mapping[str, tuple[str, str]] = {
    '"<nil>"': ("the pool it asked for has no address left", f"Widen that IPAddressPool, or {_USED_UP}"),
    "is not allowed in config": (
        "no pool holds the address it asked for",
        "Ask for an address of an IPAddressPool, or widen one.",
    ),
    "no available IPs": (
        "no pool that may serve it has an address left",
        f"Widen an IPAddressPool, set autoAssign: true on one, or {_USED_UP}",
    ),
    "unknown pool": (
        "the pool it asked for does not exist",
        "Correct the annotation metallb.io/address-pool, or create that IPAddressPool.",
    ),
    "not compatible for ip assignment": (
        "the pool it asked for does not serve it",
        "Compare the pool's serviceAllocation (namespaces, selectors) with the Service.",
    ),
    "no address pools could be found": (
        "kube-vip's cloud provider found no range",
        "Write a range of this segment into ConfigMap kube-system/kubevip: range-global, or range-NAMESPACE.",
    ),
    "no addresses available": (
        "the range of kube-vip's cloud provider is used up",
        f"Widen the range in ConfigMap kube-system/kubevip, or {_USED_UP}",
    ),
}
"""Part of the message -> why there is no address, and the remedy; the first that is found counts."""
_SHARED = re.compile(r"can't change sharing key for .*, address also in use by (\S+)")


def meaning(said: Condition | None) -> tuple[str, str] | None:
    """Return why there is no address and the remedy; None when it is no event, or one that we do not know."""
    if said is None or said.status != "Warning":
        return None
    return next((words for part, words in _MEANINGS.items() if part in said.message), None)


def owners(said: Condition | None) -> tuple[str, ...]:
    """Return the Services (namespace/name) that MetalLB says have the requested address; () when it says no such."""
    found = _SHARED.search(said.message) if said is not None and said.status == "Warning" else None
    return tuple(found[1].split(",")) if found else ()
