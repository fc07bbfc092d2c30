"""What the user may type for a Service, and the one sentence for each way to mean none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.diagnose.subjects import Wish, resolve
from l2probe.errors import L2ProbeError, NotAllowedError, UsageError
from tests.diagnose.played import FakeApi, World
from tests.judge.diagnosed import API, WEB


def names(world: World, *words: str, everything: bool = False, namespace: str | None = None) -> list[str]:
    """Resolve words to names."""
    api = FakeApi(world)
    found = resolve(Wish(words=words, everything=everything, namespace=namespace), api.survey(), api)
    return [f"{service.namespace}/{service.name}" for service in found]


@pytest.mark.parametrize(
    ("word", "namespace"),
    [
        ("shop/api", None),
        ("shop/api", "other"),
        ("svc/api", "shop"),
        ("service/api", "shop"),
        ("services/api", "shop"),
        ("api", "shop"),
        ("198.51.100.40", None),
        ("2001:db8:1::40", None),
        ("[2001:0db8:1:0::40]", None),
    ],
)
def test_a_service_has_many_names(word: str, namespace: str | None) -> None:
    """NS/NAME, kubectl's kind/NAME with -n, or any of its addresses in any spelling."""
    assert names(World(), word, namespace=namespace) == ["shop/api"]


def test_a_service_named_twice_is_diagnosed_once() -> None:
    """By its name and by its address: one."""
    assert names(World(), "shop/api", "198.51.100.40", "shop/web") == ["shop/api", "shop/web"]


def test_two_services_that_share_an_address_are_both_meant() -> None:
    """An address is the address of all that own it."""
    assert names(World(services=(API, replace(WEB, vips=API.vips))), "198.51.100.40") == ["shop/api", "shop/web"]


def test_all_takes_a_namespace() -> None:
    """--all -n narrows."""
    world = World(services=(API, replace(WEB, namespace="other")))

    assert names(world, everything=True) == ["shop/api", "other/web"]
    assert names(world, everything=True, namespace="other") == ["other/web"]


def test_all_leaves_out_what_a_cloud_serves() -> None:
    """A Service reached by a hostname has no address on layer 2; the others are diagnosed."""
    cloud = replace(WEB, vips=())
    document = {"status": {"loadBalancer": {"ingress": [{"hostname": "a.example.com"}]}}}

    assert names(World(services=(API, cloud), others={("shop", "web"): document}), everything=True) == ["shop/api"]


OTHERS: dict[tuple[str, str], dict[str, object]] = {
    ("shop", "inner"): {"spec": {"type": "ClusterIP"}},
    ("shop", "ports"): {"spec": {"type": "NodePort"}},
    ("shop", "alias"): {"spec": {"type": "ExternalName", "externalName": "example.com"}},
    ("shop", "odd"): {"spec": "nonsense"},
    ("shop", "new"): {"spec": {"type": "Quantum"}},
}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("shop/apo", "There was no Service shop/apo. Did you mean shop/api"),
        ("default/api", "There was no Service default/api. Did you mean shop/api"),
        ("shop/zzzzzzzz", "LoadBalancer Services: shop/api, shop/web."),
        ("shop/inner", "is of type ClusterIP: only Pods and nodes reach it"),
        ("shop/ports", "is of type NodePort"),
        ("shop/alias", "is of type ExternalName: it is another name for example.com"),
        ("shop/odd", "is of type ClusterIP"),
        ("shop/new", "is of type Quantum"),
        ("198.51.100.12", "it is node node-2's own"),
        ("203.0.113.9", "No LoadBalancer Service has the address 203.0.113.9"),
        ("a/b/c", "neither a Service nor an address"),
        ("/x", "neither a Service nor an address"),
        ("shop/", "neither a Service nor an address"),
        ("10.0.0.1/24", "neither a Service nor an address"),
        ("Shop/API", "neither a Service nor an address"),
        ("", "neither a Service nor an address"),
    ],
)
def test_what_is_no_service_is_said_in_one_sentence(word: str, said: str) -> None:
    """What is there instead, or what may have been meant."""
    with pytest.raises(UsageError) as raised:
        names(World(others=OTHERS), word)

    assert said in str(raised.value)


def test_a_hostname_instead_of_an_address_is_said() -> None:
    """A cloud's load balancer."""
    document: dict[str, object] = {
        "status": {"loadBalancer": {"ingress": [{"hostname": "a.example.com"}, "odd", {"ip": None}]}}
    }
    world = World(services=(replace(API, vips=()),), others={("shop", "api"): document})

    with pytest.raises(UsageError, match="is reached by the name"):
        names(world, "shop/api")


@pytest.mark.parametrize("ingress", [None, "odd", 7, [], [None], [{}]])
def test_absurd_ingress_is_no_hostname(ingress: object) -> None:
    """Whatever stands there, nothing is raised."""
    document = {"status": {"loadBalancer": {"ingress": ingress}}}
    world = World(services=(replace(API, vips=()),), others={("shop", "api"): document})

    assert names(world, "shop/api") == ["shop/api"]


def test_a_cluster_without_load_balancers_is_said() -> None:
    """--all with nothing to look at."""
    with pytest.raises(UsageError, match="has no Service of type LoadBalancer"):
        names(World(services=()), everything=True)


def test_without_the_right_to_list_one_named_service_is_read_alone() -> None:
    """NS/NAME needs `get` only; --all and addresses say which right is missing."""
    world = World(services=None, others={("shop", "api"): {"spec": {"type": "LoadBalancer"}}})

    assert names(world, "shop/api") == ["shop/api"]
    for words, everything in (((), True), (("198.51.100.40",), False)):
        with pytest.raises(NotAllowedError, match="list services"):
            names(world, *words, everything=everything)


def test_a_service_that_vanishes_is_an_error() -> None:
    """Gone between two reads."""
    world = World(services=(), others={("shop", "gone"): {"spec": {"type": "LoadBalancer"}}})

    with pytest.raises(L2ProbeError, match="was gone before"):
        names(world, "shop/gone")
