"""The CustomResourceDefinitions of the implementations, as far as the lab and `kubectl get` need them: lab/crds/*.json.

Own minimal definitions: fields, columns and names of Cilium 1.17 to 1.20 (pkg/k8s/apis/cilium.io) and of MetalLB's
api/v1beta1 at v0.15.2; what belongs to BGP has open schemas. `kubectl apply -f` takes the files too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

from l2probe.lab.controllers.kinds import POOLS
from l2probe.lab.controllers.objects import Obj


def cilium(pool_versions: tuple[str, ...]) -> tuple[Obj, ...]:
    """Return the definitions of address pool and announcement policy; the first pool version is the stored one."""
    return tuple(
        _serving(definition, pool_versions) if definition["spec"]["names"]["plural"] == POOLS else definition
        for definition in _read("cilium")
    )


def metallb() -> tuple[Obj, ...]:
    """Return all definitions of MetalLB's manifest."""
    return tuple(_read("metallb"))


def _serving(definition: Obj, versions: tuple[str, ...]) -> Obj:
    """Return the definition with these of its versions only, the first one stored."""
    known = {version["name"]: version for version in definition["spec"]["versions"]}
    served = [{**known[name], "storage": name == versions[0]} for name in versions]
    return {**definition, "spec": {**definition["spec"], "versions": served}}


def _read(implementation: str) -> Iterator[Obj]:
    yield from json.loads((files("l2probe.lab") / "crds" / f"{implementation}.json").read_text())["items"]
