"""The fault `denied:VERB:RESOURCE`: what a person may write, and which rights it means."""

from __future__ import annotations

import pytest

from l2probe.errors import UsageError
from l2probe.lab.api.kinds import BUILT_IN
from l2probe.lab.controllers import crds
from l2probe.lab.rights import GROUPS, Right, resources, rights_of


@pytest.mark.parametrize(
    ("fault", "rights"),
    [
        ("denied:list:pods", (("list", "", "pods"),)),
        ("denied:get:pods/log", (("get", "", "pods/log"),)),
        ("denied:list:leases", (("list", "coordination.k8s.io", "leases"),)),
        ("denied:watch:endpointslices", (("watch", "discovery.k8s.io", "endpointslices"),)),
        ("denied:list:leases.coordination.k8s.io", (("list", "coordination.k8s.io", "leases"),)),
        ("denied:*:ciliumloadbalancerippools", (("*", "cilium.io", "ciliumloadbalancerippools"),)),
        ("denied:create:*", (("create", "*", "*"),)),
    ],
)
def test_a_resource_is_found_in_its_group(fault: str, rights: tuple[Right, ...]) -> None:
    """Without a group the fault means the resource wherever it lives, with one exactly that."""
    assert rights_of(fault) == rights


@pytest.mark.parametrize("fault", ["denied:list:gremlins", "denied:list:leases.apps", "denied:list:"])
def test_an_unknown_resource_is_refused_with_the_known_ones(fault: str) -> None:
    """The error lists every resource as one would write it."""
    with pytest.raises(UsageError) as refused:
        rights_of(fault)

    assert refused.value.hint == f"It has {', '.join(sorted(resources()))}."
    assert {"pods", "leases.coordination.k8s.io"} <= set(resources())


@pytest.mark.parametrize("fault", ["denied:list", "denied:lst:pods", "denied:list:pods:web"])
def test_an_unknown_form_or_verb_is_refused(fault: str) -> None:
    """What would silently deny nothing is an error that shows the form."""
    with pytest.raises(UsageError, match=f"The lab has no fault '{fault}'. Write denied:VERB:RESOURCE"):
        rights_of(fault)


def test_the_known_resources_are_those_that_the_lab_serves() -> None:
    """Every listed kind of the embedded API, of Cilium and of MetalLB can be denied, and nothing else."""
    served = {(kind.group, kind.plural) for kind in BUILT_IN if "list" in kind.verbs}
    defined = (*crds.cilium(("v2",)), *crds.metallb())

    assert {(group, plural) for group, plurals in GROUPS.items() for plural in plurals} == {
        *served,
        *((each["spec"]["group"], each["spec"]["names"]["plural"]) for each in defined),
    }
