"""One node of the lab: its announcements, its datapath, its Pods. Implements the driver's `NodeDriver`."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from l2probe.errors import LabError
from l2probe.lab import datapath, links
from l2probe.lab import rtnetlink as rt
from l2probe.lab.addresses import SYSTEM_PATH
from l2probe.lab.driver import ONCE, Frontend, PodLink, Telling
from l2probe.lab.interpreter import Interpreter
from l2probe.lab.launcher import Launch
from l2probe.lab.netns import Namespace
from l2probe.lab.programs import Child, Programs
from l2probe.lab.responder import Responder
from l2probe.lab.topology import FIRST_POD, LAST_POD, SECOND, UPLINK, UPLINK_INDEX, Site


@dataclass(slots=True, kw_only=True)
class _Pod:
    """What a Pod has: its namespace, its host number, the programs that run in it."""

    namespace: Namespace
    host: int
    link: PodLink
    programs: list[Child] = field(default_factory=list)


class Node:
    """The driver's `NodeDriver`."""

    def __init__(self, site: Site, segment: links.Segment, programs: Programs, interpreter: Interpreter) -> None:
        namespace = segment.machines[site.name]
        self.name = site.name
        self.addresses: tuple[str, ...] = site.addresses
        self.mac = site.mac
        self.interfaces: tuple[str, ...] = (UPLINK,)
        self.namespace = namespace
        self._site = site
        self._programs = programs
        self._interpreter = interpreter
        self._switch = segment.switch
        self._responders = {UPLINK: Responder(namespace, site.mac)}
        self._owned: frozenset[str] = frozenset()
        self._pods: dict[str, _Pod] = {}
        self._last_host = FIRST_POD - 1
        # nft transactions on one node follow each other; the last one asked for is the last one applied.
        self._turn = asyncio.Lock()

    def start(self) -> None:
        """Answer for what is announced, from now on."""
        self._responders[UPLINK].start(asyncio.get_running_loop())

    def announce(
        self, addresses: frozenset[str], *, gratuitous: bool = True, device: str = UPLINK, telling: Telling = ONCE
    ) -> None:
        """See `NodeDriver`."""
        self._responders[device].own(addresses, gratuitous=gratuitous, telling=telling)

    async def own(self, addresses: frozenset[str]) -> None:
        """See `NodeDriver`: /32 and /128, as kube-vip and kube-proxy's IPVS add them."""
        new, old, self._owned = addresses - self._owned, self._owned - addresses, addresses
        await self._nft(datapath.render_owned(addresses))
        self.namespace.netlink.do(
            *(rt.remove_address(UPLINK_INDEX, rt.host(address)) for address in sorted(old)),
            *(rt.address(UPLINK_INDEX, rt.host(address)) for address in sorted(new)),
        )

    def tell(self, addresses: frozenset[str], telling: Telling) -> None:
        """See `NodeDriver`."""
        self._responders[UPLINK].tell(addresses, telling)

    def heed(self, *, broadcast: bool, multicast: bool) -> None:
        """See `NodeDriver`."""
        for responder in self._responders.values():
            responder.broadcast, responder.multicast = broadcast, multicast

    async def second_nic(self, *, present: bool, shy: bool = False) -> None:
        """See `NodeDriver`."""
        if SECOND in self._responders:
            self.interfaces = (UPLINK,)
            self._responders.pop(SECOND).close()
            await self._nft(datapath.render_pulled(SECOND))
            links.pull_second(self._switch, self._site)
            # As a bond does: who remembers the NIC that is gone would send to it for minutes.
            self._responders[UPLINK].remind(self.addresses)
        if present:
            links.plug_second(self._switch, self.namespace, self._site, shy=shy)
            await self._nft(datapath.render_plugged(SECOND))
            first, second = self._responders[UPLINK], Responder(self.namespace, self._site.second.mac, SECOND)
            second.broadcast, second.multicast = first.broadcast, first.multicast
            second.start(asyncio.get_running_loop())
            self._responders[SECOND] = second
            self.interfaces = (UPLINK, SECOND)

    async def program(self, frontends: Sequence[Frontend]) -> None:
        """See `NodeDriver`."""
        await self._nft(datapath.render(self._site, frontends))

    async def drop_traffic(self, addresses: frozenset[str]) -> None:
        """See `NodeDriver`."""
        await self._nft(datapath.render_dropped(addresses))

    async def _nft(self, rules: str) -> None:
        async with self._turn:
            await self._programs.nft(self.namespace, rules)

    def attach_pod(self, name: str) -> PodLink:
        """See `NodeDriver`; asked again for a Pod that is attached, it returns the same link."""
        if name in self._pods:
            return self._pods[name].link
        for _ in range(LAST_POD - FIRST_POD + 1):
            host = self._next_host()
            try:
                namespace, addresses = links.attach_pod(self.namespace, self._site, host)
            except FileExistsError:
                # The kernel has not yet taken down the last Pod of this number.
                continue
            link = PodLink(name=name, netns=namespace.descriptor, addresses=addresses)
            self._pods[name] = _Pod(namespace=namespace, host=host, link=link)
            return link
        raise LabError(f"{self.name} has no free Pod address in {self._site.pods4}.")

    def _next_host(self) -> int:
        """Return the next number in turn, so that a new Pod does not get the address of one just gone."""
        taken = {pod.host for pod in self._pods.values()}
        if len(taken) > LAST_POD - FIRST_POD:
            raise LabError(f"{self.name} has no free Pod address in {self._site.pods4}.")
        while True:
            self._last_host = FIRST_POD if self._last_host >= LAST_POD else self._last_host + 1
            if self._last_host not in taken:
                return self._last_host

    def detach_pod(self, name: str) -> None:
        """See `NodeDriver`; programs that still run in the Pod are killed."""
        pod = self._pods.pop(name, None)
        if pod is None:
            return
        for program in pod.programs:
            program.kill_group()
        links.detach_pod(self.namespace, self._site, pod.namespace, pod.host)

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        netns: int,
        env: Mapping[str, str],
        binds: Sequence[tuple[str, str]] = (),
        hostname: str = "",
        output: int | None = None,
    ) -> Child:
        """See `NodeDriver`. LabError when the program could not be started."""
        launch = Launch(
            argv=tuple(argv),
            env={**env, **self._interpreter.environment(env.get("PATH", SYSTEM_PATH))},
            binds=tuple(binds),
            confined=True,
            user=self._interpreter.user,
            hostname=hostname,
        )
        pod = next((pod for pod in self._pods.values() if pod.link.netns == netns), None)
        if pod is None:
            raise LabError(
                f"{argv[0]} was not started on {self.name}: {os.strerror(errno.EBADF)} for its Pod's namespace."
            )
        child = await self._programs.start(launch, network=netns, output=output)
        if self._pods.get(pod.link.name) is pod:
            pod.programs.append(child)
        else:
            child.kill_group()
        return child
