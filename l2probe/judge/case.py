"""A case: one Service and every trial of it. Groups and filters observations; must not judge."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from l2probe.judge.beginning import settled
from l2probe.model import (
    Claim,
    Datapath,
    Evidence,
    Exchange,
    Flow,
    Ip,
    Mac,
    NeighbourReply,
    Node,
    NodeName,
    Outcome,
    Placement,
    Protocol,
    Service,
    TrafficPolicy,
    Trial,
    owners_of_macs,
)

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


def once(look: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Remember what a pure function said of the Evidence (or Cluster) it was asked about last, by its other arguments.

    Forty rules ask the same of one Evidence; told apart by identity, for comparing thousands of Services costs as much.
    """
    last: list[tuple[S, dict[Hashable, T]]] = []

    @wraps(look)
    def remembered(asked: S, /, *args: P.args, **named: P.kwargs) -> T:
        held = last[0] if last else None
        if held is None or held[0] is not asked:
            last[:] = [held := (asked, {})]
        key = (args, tuple(named.items())) if args or named else ()
        if key not in held[1]:
            held[1][key] = look(asked, *args, **named)
        return held[1][key]

    return remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One Service as it was seen last, all its trials in their order, and whose MAC is whose.

    `name` is namespace/name; `vips` and `claims` are what the functions of these names return.
    """

    evidence: Evidence
    name: str
    service: Service
    trials: tuple[Trial, ...]
    macs: Mapping[Mac, NodeName]
    vips: tuple[Ip, ...]
    claims: tuple[Claim, ...] | None

    @property
    def local(self) -> bool:
        """Whether the Service has externalTrafficPolicy: Local."""
        return self.service.policy is TrafficPolicy.LOCAL


@once
def cases(evidence: Evidence) -> tuple[Case, ...]:
    """Return one Case for each Service that was tried, in the order of the trials."""
    grouped: dict[str, list[Trial]] = {}
    for trial in evidence.trials:
        grouped.setdefault(f"{trial.service.namespace}/{trial.service.name}", []).append(trial)
    macs = mac_owners(evidence)
    return tuple(
        Case(
            evidence=evidence,
            name=name,
            service=trials[-1].service,
            trials=tuple(trials),
            macs=macs,
            vips=_vips(trials),
            claims=_claims(trials),
        )
        for name, trials in grouped.items()
    )


def _vips(trials: Sequence[Trial]) -> tuple[Ip, ...]:
    if len(trials) == 1 and len(trials[0].service.vips) < 2:  # noqa: PLR2004 - as of most Services of an audit
        return trials[0].service.vips
    return tuple(dict.fromkeys(vip for trial in trials for vip in trial.service.vips))


def _claims(trials: Sequence[Trial]) -> tuple[Claim, ...] | None:
    if len(trials) == 1 and len(trials[0].claims or ()) < 2:  # noqa: PLR2004 - as of most Services of an audit
        return trials[0].claims
    looked = [trial.claims for trial in trials if trial.claims is not None]
    if not looked:
        return None
    unique = dict.fromkeys(claim for history in looked for claim in history)
    return tuple(sorted(unique, key=lambda claim: claim.read_at))


@once
def by_name(evidence: Evidence) -> Mapping[str, Case]:
    """Return the Cases by namespace/name."""
    return {case.name: case for case in cases(evidence)}


@once
def mac_owners(evidence: Evidence) -> Mapping[Mac, NodeName]:
    """Map each MAC to the node for whose own address it answered."""
    return owners_of_macs(evidence.node_replies or (), evidence.cluster.nodes or ())


def family(address: Ip) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4


def vips(case: Case) -> tuple[Ip, ...]:
    """Every address that the Service had in any trial, in order of appearance."""
    return case.vips


def node_of(case: Case, mac: Mac | None) -> NodeName | None:
    """Return the node that owns this MAC, or None."""
    return None if mac is None else case.macs.get(mac)


def replies(case: Case, vip: Ip) -> tuple[NeighbourReply, ...] | None:
    """All frames that told who has this VIP, in time order without repeats; None when nobody listened."""
    heard = [trial.replies for trial in case.trials if trial.replies is not None]
    if not heard:
        return None
    unique = dict.fromkeys(reply for frames in heard for reply in frames if reply.ip == vip)
    return tuple(sorted(unique, key=lambda reply: reply.at))


def claims(case: Case) -> tuple[Claim, ...] | None:
    """Return the history of claims, oldest first, without repeats; None when nobody looked."""
    return case.claims


def claims_until(case: Case) -> float:
    """Return the Unix time until which claims were followed: a change after it was not seen."""
    followed = [t.started + t.observed_seconds for t in case.trials if t.claims is not None]
    return max([*followed, *(claim.read_at for claim in claims(case) or ())], default=0.0)


def ended(case: Case) -> float:
    """Unix time of the last thing observed."""
    moments = [0.0]
    for trial in case.trials:
        moments.append(trial.started + trial.observed_seconds)
        moments += [reply.at for reply in trial.replies or ()]
        moments += [exchange.at for exchange in trial.exchanges or ()]
        moments += [claim.read_at for claim in trial.claims or ()]
    return max(moments)


def serving_trials(case: Case) -> tuple[Trial, ...]:
    """Return the trials in which traffic must arrive: all with policy Cluster; of Local those on the announcer."""
    return tuple(trial for trial in case.trials if not case.local or trial.placement is Placement.ON_ANNOUNCER)


def sent(trial: Trial) -> tuple[Exchange, ...]:
    """Return the exchanges that asked the network: what our own kernel refused to send says nothing about it.

    Nor does what a Service of the user's refused before it answered for good: it was only being programmed.
    """
    asked = tuple(exchange for exchange in trial.exchanges or () if not exchange.unsent)
    return asked if trial.own else settled(asked)


def refused_here(trial: Trial, flow: Flow) -> tuple[Exchange, ...]:
    """Return the exchanges of a flow kind that our own kernel refused to send."""
    return tuple(exchange for exchange in trial.exchanges or () if exchange.unsent and exchange.flow is flow)


def exchanges(trials: Sequence[Trial], flow: Flow | None = None) -> Iterator[tuple[Trial, Exchange]]:
    """Every exchange of these trials that was sent, of one flow kind or of all."""
    for trial in trials:
        for exchange in sent(trial):
            if flow is None or exchange.flow is flow:
                yield trial, exchange


def answered(exchange: Exchange) -> bool:
    """Whether our own Pod answered; of a Service of the user's, whether anybody did."""
    return exchange.outcome is Outcome.ANSWERED


def tells(trial: Trial, exchange: Exchange) -> bool:
    """Whether a missing answer would mean that traffic did not arrive.

    Of a Service of the user's only a connect does: what an application answers to a payload is its own affair.
    """
    return trial.own or answered(exchange) or (exchange.protocol is Protocol.TCP and not exchange.payload_bytes)


def promised_trials(case: Case) -> tuple[Trial, ...]:
    """Return the trials in which traffic must arrive for the user's Service to be of use, whatever its policy."""
    serving = serving_trials(case)
    return tuple(trial for trial in case.trials if trial in serving or not trial.own)


def ingress(case: Case, trial: Trial, exchange: Exchange) -> NodeName | None:
    """Return the node to which the first frame went; where frames were not read, the trial's announcer."""
    return node_of(case, exchange.sent_mac) if exchange.sent_mac is not None else trial.announcer


def crossed(case: Case, trial: Trial, exchange: Exchange) -> bool | None:
    """Whether the backend was on another node than the one the frame went to; None when that is not known."""
    backend = exchange.node or (trial.target.node if trial.target is not None else None)
    entered = ingress(case, trial, exchange)
    return None if backend is None or entered is None else backend != entered


def has_ready_backend(case: Case) -> bool | None:
    """Whether any trial saw a ready backend; None when EndpointSlices were not read, or are not all that there is.

    Those of this cluster do not show the backends that a global Service has in others.
    """
    looked = [trial.service.backends for trial in case.trials if trial.service.backends is not None]
    if any(backend.ready for backends in looked for backend in backends):
        return True
    return False if looked and not case.service.beyond else None


def has_usable_backend(case: Case) -> bool | None:
    """Whether new connections may find a backend: a ready one, or else one that serves while it ends; None: as above.

    kube-proxy, Cilium and MetalLB's speakers fall back to the latter
    (https://www.kubernetes.dev/resources/keps/1669/, cilium/cilium#39743).
    """
    ending = any(backend.usable for trial in case.trials for backend in trial.service.backends or ())
    return True if ending else has_ready_backend(case)


def own_mode(case: Case) -> Datapath | None:
    """Return the datapath mode that the Service has in place of the cluster's; None where it has that one.

    Cilium heeds the annotation only with bpf-lb-mode-annotation
    (https://docs.cilium.io/en/stable/network/kubernetes/kubeproxy-free/).
    """
    heeded = dict(case.evidence.cluster.settings).get("bpf-lb-mode-annotation") == "true"
    return case.service.forwarding if heeded else None


@once
def ready_nodes(evidence: Evidence) -> tuple[Node, ...]:
    """Return the nodes that the API calls Ready."""
    return tuple(node for node in evidence.cluster.nodes or () if node.ready)


def in_network(address: Ip, block: str) -> bool:
    """Whether the address lies in a pool's block: CIDR or "start-stop". A block that cannot be read holds nothing."""
    try:
        value = ipaddress.ip_address(address)
        if "-" not in block:
            return value in ipaddress.ip_network(block, strict=False)
        first, last = (ipaddress.ip_address(end.strip()) for end in block.split("-", 1))
        return first.version == value.version == last.version and int(first) <= int(value) <= int(last)
    except ValueError:
        return False
