"""Which cluster, as whom, how patiently: the values of kubectl's own flags, before anything is read or asked."""

from __future__ import annotations

from dataclasses import dataclass

REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What kubectl's flags of the same names say; None and () where they were not given.

    `as_user`, `as_groups` and `as_uid` are who to be instead (Kubernetes: user impersonation). A call takes
    `request_timeout` seconds at most, retries included.
    """

    kubeconfig: str | None = None
    context: str | None = None
    cluster: str | None = None
    user: str | None = None
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    as_uid: str | None = None
    request_timeout: float = REQUEST_SECONDS

    @property
    def chosen(self) -> tuple[str, ...]:
        """The flags that say which cluster or as whom, as far as they were given."""
        flags = {
            "--kubeconfig": self.kubeconfig,
            "--context": self.context,
            "--cluster": self.cluster,
            "--user": self.user,
            "--as": self.as_user,
            "--as-group": self.as_groups,
            "--as-uid": self.as_uid,
        }
        return tuple(flag for flag, value in flags.items() if value)
