"""What each finding code is called and where more is written. Codes never change their meaning."""

from __future__ import annotations

from dataclasses import dataclass

CILIUM_DOCS = "https://docs.cilium.io/en/stable/network"
L2_DOCS = f"{CILIUM_DOCS}/l2-announcements/"
IPAM_DOCS = f"{CILIUM_DOCS}/lb-ipam/"
DSR_DOCS = f"{CILIUM_DOCS}/kubernetes/kubeproxy-free/"
METALLB_DOCS = "https://metallb.io"
KUBERNETES_SOURCE_DOCS = "https://kubernetes.io/docs/tutorials/services/source-ip/"


def cilium(number: int) -> str:
    """Return a thread of cilium/cilium."""
    return f"https://github.com/cilium/cilium/issues/{number}"


def metallb(number: int) -> str:
    """Return a thread of metallb/metallb."""
    return f"https://github.com/metallb/metallb/issues/{number}"


def kube_vip(number: int) -> str:
    """Return a thread of kube-vip/kube-vip."""
    return f"https://github.com/kube-vip/kube-vip/issues/{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A finding code: its slug, a title in words, and what was written about it elsewhere."""

    slug: str
    title: str
    links: tuple[str, ...] = ()


CODES = {
    "A01": Code(slug="address-pending", title="The Service got no address", links=(IPAM_DOCS,)),
    "A02": Code(slug="pool-conflict", title="An address pool is marked as conflicting", links=(IPAM_DOCS,)),
    "A03": Code(
        slug="requested-address-taken",
        title="The requested address belongs to another Service",
        links=(IPAM_DOCS, cilium(30692)),
    ),
    "A04": Code(
        slug="foreign-load-balancer-class",
        title="No installed implementation serves the class",
        links=(IPAM_DOCS, cilium(27976)),
    ),
    "A05": Code(
        slug="pool-range-surprise",
        title="A pool holds addresses that are not free",
        links=(IPAM_DOCS, metallb(364)),
    ),
    "A06": Code(
        slug="two-load-balancer-controllers",
        title="Two controllers write the Service's address",
        links=("https://github.com/k3s-io/k3s/issues/269", "https://docs.k3s.io/networking/networking-services"),
    ),
    "A07": Code(
        slug="address-off-link",
        title="The address lies in no subnet of its segment",
        links=(metallb(433), metallb(484)),
    ),
    "A08": Code(
        slug="address-moved",
        title="The address is another than before, or two Services own it",
        links=(IPAM_DOCS, cilium(43131), metallb(2479)),
    ),
    "B01": Code(
        slug="no-announcement-policy", title="Nothing may be announced", links=(L2_DOCS, cilium(33386), metallb(1561))
    ),
    "B02": Code(slug="policy-selects-nothing", title="No policy selects the Service", links=(L2_DOCS,)),
    "B03": Code(
        slug="interface-not-matched",
        title="The policy's interfaces match no device",
        links=(L2_DOCS, cilium(28009), cilium(28457)),
    ),
    "B04": Code(slug="feature-off", title="The announcing feature is off", links=(L2_DOCS, cilium(28985))),
    "B05": Code(
        slug="local-policy-nobody-eligible",
        title="Policy Local, and no backend stands on a known node",
        links=(L2_DOCS, cilium(48799), cilium(46399)),
    ),
    "B06": Code(
        slug="lease-lost", title="Nobody holds a live lease and nobody answers", links=(cilium(26586), cilium(30340))
    ),
    "B07": Code(
        slug="silent-leader",
        title="The lease is held and fresh, and nobody answers",
        links=(cilium(45068), cilium(48626)),
    ),
    "B08": Code(
        slug="client-throttled",
        title="The agents may ask the API server too seldom for their leases",
        links=(L2_DOCS, cilium(26586)),
    ),
    "B09": Code(
        slug="node-excluded",
        title="Every node that may announce is excluded by its label",
        links=(metallb(2274), "https://kubernetes.io/docs/reference/labels-annotations-taints/"),
    ),
    "B10": Code(
        slug="acceleration-eats-arp",
        title="XDP acceleration may eat the questions",
        links=(DSR_DOCS, cilium(40396)),
    ),
    "B11": Code(
        slug="multicast-solicitation-unanswered",
        title="Multicast neighbour solicitations go unanswered",
        links=(cilium(44311),),
    ),
    "B12": Code(
        slug="broadcast-unanswered", title="Broadcast who-has goes unanswered", links=(metallb(284), metallb(253))
    ),
    "B13": Code(
        slug="no-ready-backend-not-announced",
        title="Nothing is announced without a ready backend",
        links=(metallb(1640), f"{METALLB_DOCS}/concepts/layer2/"),
    ),
    "B14": Code(slug="address-silent", title="Nobody answers, and who should could not be read", links=(L2_DOCS,)),
    "C01": Code(
        slug="duplicate-announcers",
        title="Two nodes answer for one address",
        links=(kube_vip(788), metallb(740), cilium(48419)),
    ),
    "C02": Code(
        slug="several-nics-announce", title="One node answers with two MACs", links=(metallb(531), metallb(597))
    ),
    "C03": Code(
        slug="foreign-owner", title="A machine outside the cluster owns the address", links=(metallb(306), metallb(772))
    ),
    "C04": Code(slug="holder-mismatch", title="The answering node is not the lease holder", links=(cilium(32148),)),
    "C05": Code(slug="holder-gone", title="The lease holder is not a Ready node", links=(cilium(32148),)),
    "C06": Code(
        slug="everyone-answers", title="Every node answers", links=(metallb(153), f"{METALLB_DOCS}/installation/")
    ),
    "C07": Code(
        slug="shared-address-split",
        title="Services that share an address have different announcers",
        links=(IPAM_DOCS, cilium(48419)),
    ),
    "D01": Code(
        slug="local-policy-blackhole",
        title="Policy Local fails where the announcer has no backend",
        links=(L2_DOCS, cilium(27800), cilium(46399)),
    ),
    "D02": Code(slug="no-ready-backend", title="The Service has no ready backend", links=(cilium(28157),)),
    "D03": Code(
        slug="announcer-drops",
        title="The address answers, its traffic is dropped",
        links=(cilium(41641), cilium(31691)),
    ),
    "D04": Code(slug="some-backends-unreachable", title="Failures follow the backend's node", links=(cilium(40167),)),
    "D05": Code(slug="udp-fails-across-nodes", title="UDP is lost between nodes", links=(cilium(35071),)),
    "D06": Code(
        slug="large-packets-lost",
        title="Full-size packets are lost",
        links=(cilium(32601), cilium(39690), cilium(34380)),
    ),
    "D07": Code(
        slug="reply-not-translated",
        title="An answer came from an address other than the VIP",
        links=(cilium(26407), cilium(32437), "https://github.com/kubernetes/kubernetes/issues/74839"),
    ),
    "D08": Code(
        slug="reply-from-other-nic", title="Answers leave through another NIC", links=(cilium(40521), cilium(31640))
    ),
    "D09": Code(
        slug="asymmetric-path",
        title="Questions pass a router, answers do not",
        links=(metallb(297), metallb(319), cilium(33609)),
    ),
    "D10": Code(slug="wrong-answer", title="Something else answered", links=(metallb(306),)),
    "D11": Code(
        slug="refused-by-application",
        title="Nothing listens on the target port",
        links=("https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/",),
    ),
    "D12": Code(
        slug="intermittent-loss",
        title="A share of the traffic is lost without a pattern",
        links=("https://man7.org/linux/man-pages/man8/ethtool.8.html",),
    ),
    "D13": Code(
        slug="policy-denies-world",
        title="A rule of the Service or of its Pods refuses the client",
        links=(
            cilium(34204),
            "https://docs.cilium.io/en/stable/security/policy/language/",
            "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
        ),
    ),
    "E01": Code(
        slug="source-lost",
        title="The Pod does not see the client",
        links=(DSR_DOCS, KUBERNETES_SOURCE_DOCS, cilium(34204)),
    ),
    "E02": Code(
        slug="source-mixed",
        title="The Pod sees the client only on the announcer",
        links=(DSR_DOCS, cilium(34204), cilium(33574)),
    ),
    "E03": Code(
        slug="dsr-not-effective",
        title="DSR is configured and does not happen",
        links=(DSR_DOCS, cilium(35462), cilium(10114)),
    ),
    "E04": Code(slug="udp-source-lost", title="Hybrid mode keeps the client for TCP only", links=(DSR_DOCS,)),
    "E05": Code(
        slug="source-is-gateway",
        title="The Pod sees an address that is no node's",
        links=(DSR_DOCS, KUBERNETES_SOURCE_DOCS),
    ),
    "F01": Code(slug="announcer-flaps", title="The announcer changes again and again", links=(L2_DOCS, cilium(26586))),
    "F02": Code(
        slug="no-gratuitous-arp",
        title="A takeover is not announced",
        links=(cilium(39933), metallb(2910), kube_vip(382)),
    ),
    "F03": Code(
        slug="slow-failover",
        title="A takeover lasts longer than the settings allow",
        links=(L2_DOCS, metallb(524), metallb(1147)),
    ),
    "F04": Code(
        slug="gratuitous-arp-ignored",
        title="This host ignored the new announcer's announcement",
        links=(cilium(39933), metallb(2910)),
    ),
    "V01": Code(slug="on-a-cluster-node", title="This host is a cluster node", links=(cilium(27521),)),
    "V02": Code(slug="behind-a-router", title="The address is reached through a router", links=(metallb(433),)),
    "V03": Code(
        slug="no-raw-socket",
        title="Frames could not be read",
        links=("https://man7.org/linux/man-pages/man7/capabilities.7.html",),
    ),
    "V04": Code(
        slug="deaf-interface",
        title="Not even nodes were heard",
        links=(
            "https://www.rfc-editor.org/rfc/rfc826",
            "https://www.rfc-editor.org/rfc/rfc4861",
            "https://www.rfc-editor.org/rfc/rfc4541",
        ),
    ),
    "V05": Code(
        slug="not-allowed",
        title="The API server does not let us look",
        links=("https://kubernetes.io/docs/reference/access-authn-authz/rbac/",),
    ),
    "V06": Code(slug="announcer-unmapped", title="A MAC answered that belongs to no known node", links=(metallb(531),)),
    "V07": Code(
        slug="ping-is-no-test",
        title="Ping was not answered, and that says nothing",
        links=(cilium(14118), cilium(28458)),
    ),
}


def references(code: str) -> tuple[str, ...]:
    """Return the catalogue page first, then what was written elsewhere."""
    return (f"l2probe explain {code}", *CODES[code].links)
