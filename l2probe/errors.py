"""Why we could not observe. A broken network is never one of these: that is an Outcome or a Finding."""

from __future__ import annotations


class L2ProbeError(Exception):
    """We could not observe. `message`: what and where, in the past tense; `hint`: what to do about it. Exit code 2."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(L2ProbeError):
    """The user asked for something that does not exist or does not fit together."""


class SuiteError(L2ProbeError):
    """A suite file is wrong; the message begins with file:line:column."""


class ClusterError(L2ProbeError):
    """The Kubernetes API could not be reached, refused us, or answered what we cannot read."""


class NotAllowedError(ClusterError):
    """The API server denied a verb (RBAC), or refused an object (admission)."""


class WireError(L2ProbeError):
    """The interface could not be opened or read."""


class LabError(L2ProbeError):
    """The miniature cluster could not be built."""


class ReportError(L2ProbeError):
    """A saved report could not be read."""
