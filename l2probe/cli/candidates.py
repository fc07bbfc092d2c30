"""What Tab offers for a parameter: names from the package, from kubeconfig files, or from a short look at the cluster.

Fails silently: whoever presses Tab wants words, not errors. Libraries load only when a name needs them.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from l2probe.errors import L2ProbeError

if TYPE_CHECKING:
    from l2probe.observe.kube import Api

CLUSTER_SECONDS = 2.0
"""How long somebody who pressed Tab waits for the cluster before there is nothing to offer."""
Named = tuple[str, str | None]
"""A candidate and what it is."""


def _matching(found: Iterable[Named], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(name, help=about) for name, about in found if name.startswith(incomplete)]


def suites(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the shipped suites, and files."""
    del ctx, param
    from l2probe.suites import shipped  # noqa: PLC0415 - reads YAML

    found = _matching(((suite.name, suite.about) for suite in shipped()), incomplete)
    return [*found, CompletionItem(incomplete, type="file")]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer files, by the shell's own rules."""
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


def requirable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the capabilities that can be required, also after a comma."""
    del ctx, param
    from l2probe.suites import REQUIRABLE  # noqa: PLC0415 - reads YAML

    listed, comma, _ = incomplete.rpartition(",")
    return _matching(((f"{listed}{comma}{name}", None) for name in REQUIRABLE), incomplete)


def findings(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the codes of the catalogue, and the slugs once letters of one were typed."""
    del ctx, param
    from l2probe.cli.explain import pages, title  # noqa: PLC0415 - only here

    codes: list[Named] = []
    slugs: list[Named] = []
    for code, page in pages().items():
        slug = title(page).removeprefix(code).strip(": ")
        codes.append((code, slug))
        slugs.append((slug, code))
    return _matching(codes, incomplete.upper()) or _matching(slugs, incomplete.lower())


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the clusters that the lab can play."""
    del ctx, param
    from l2probe.lab.profiles import PROFILES  # noqa: PLC0415 - only here

    return _matching(((name, profile.about) for name, profile in PROFILES.items()), incomplete)


def faults(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the ways in which the lab can be broken."""
    del ctx, param
    from l2probe.lab.faults import FAULTS  # noqa: PLC0415 - only here

    return _matching(((name, fault.about) for name, fault in FAULTS.items()), incomplete)


def interfaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer this host's interfaces."""
    del ctx, param
    return _matching(((name, None) for _, name in socket.if_nameindex()), incomplete)


def contexts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the contexts of the kubeconfig that --kubeconfig or the environment names; asks no cluster."""
    del param
    return _named(ctx, "context", incomplete)


def clusters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the clusters of the kubeconfig."""
    del param
    return _named(ctx, "cluster", incomplete)


def users(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the users of the kubeconfig."""
    del param
    return _named(ctx, "user", incomplete)


def _named(ctx: click.Context, kind: str, incomplete: str) -> list[CompletionItem[str]]:
    from l2probe.observe import kubeconfig  # noqa: PLC0415 - reads YAML

    names: dict[str, None] = {}
    for path in kubeconfig.candidates(ctx.params.get("kubeconfig"), os.environ):
        try:
            names |= dict.fromkeys(kubeconfig.read(path).entries[kind])
        except L2ProbeError:
            continue  # of several files one may be missing, as for kubectl
    return _matching(((name, None) for name in names), incomplete)


def runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the runs that left something in the cluster."""
    del param
    return _matching(_asked(ctx, _runs), incomplete)


def _runs(api: Api) -> list[Named]:
    from l2probe.run.teardown import leftovers  # noqa: PLC0415 - with the client's libraries

    return [(leftover.run, leftover.namespace) for leftover in leftovers(api)]


def namespaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the cluster's namespaces."""
    del param
    return _matching(_asked(ctx, lambda api: [(name, None) for name, _ in api.namespaces("")]), incomplete)


def services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the cluster's LoadBalancer Services as NAMESPACE/NAME, with their addresses."""
    del param
    return _matching(_asked(ctx, _services), incomplete)


def _services(api: Api) -> list[Named]:
    from l2probe.observe import decode, objects  # noqa: PLC0415 - with the client's libraries
    from l2probe.observe.lists import fetch  # noqa: PLC0415 - likewise

    found, _ = fetch(api._transport, "/api/v1/services", objects.ServiceObject)  # noqa: SLF001 - one list, no survey
    return [
        (f"{each.namespace}/{each.name}", ", ".join(each.vips) or "no address")
        for each in decode.load_balancers(found, None)
    ]


def _asked(ctx: click.Context, ask: Callable[[Api], list[Named]]) -> list[Named]:
    """Ask the cluster that the line names; nothing when it does not answer in CLUSTER_SECONDS."""
    found: list[Named] = []

    def work() -> None:
        from l2probe.observe.access import Access  # noqa: PLC0415 - with the client's libraries
        from l2probe.observe.kube import connect  # noqa: PLC0415 - brings the client's libraries

        given = {field.name: ctx.params[field.name] for field in fields(Access) if field.name in ctx.params}
        try:
            api = connect(Access(**given | {"request_timeout": CLUSTER_SECONDS}))
            found.extend(sorted(ask(api)))
        except L2ProbeError:
            return  # no cluster, nothing to offer

    with _silence():
        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        worker.join(CLUSTER_SECONDS)
    return list(found)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what an exec plugin says away from the line that is being typed."""
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
