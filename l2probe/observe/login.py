"""Logging in to the cluster that kubectl would use. Makes no request yet."""

from __future__ import annotations

import os
from dataclasses import dataclass

from l2probe.errors import ClusterError
from l2probe.observe import kubeconfig as kubeconfigs
from l2probe.observe.access import Access
from l2probe.observe.session import open_session
from l2probe.observe.transport import Session, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """Requests to the API server as somebody. `context` None: as the Pod around us; `namespace`: the usual one."""

    transport: Transport
    context: str | None
    namespace: str


def log_in(access: Access) -> LoggedIn:
    """Log in to the context that kubectl would use, else to the cluster around this Pod.

    No request is made yet, but the exec plugin of the kubeconfig's user runs. Raises ClusterError, or UsageError when
    flags do not go together.
    """
    login = kubeconfigs.resolve(access, os.environ) or kubeconfigs.in_cluster(access, os.environ)
    if login is None:
        where = ":".join(str(path) for path in kubeconfigs.candidates(access.kubeconfig, os.environ))
        raise ClusterError(
            f"No kubeconfig was found ({where}).", f"Set KUBECONFIG or pass --kubeconfig.{became_root()}"
        )
    opened = [open_session(login)]

    def renew() -> Session:
        return opened.pop() if opened else open_session(login)

    transport = Transport(renew, server=login.server, timeout=access.request_timeout)
    return LoggedIn(transport=transport, context=login.context or None, namespace=login.namespace)


def became_root() -> str:
    """Return what else helps where sudo put root's home in the place of the user's; "" elsewhere."""
    user = os.environ.get("SUDO_USER", "")
    return f' sudo hid the one of {user}: `sudo -E env HOME="$HOME" l2probe` keeps it.' if user else ""
