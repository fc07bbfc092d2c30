"""What the user wanted of `l2probe run`, typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from l2probe.observe.access import Access
from l2probe.workload.manifests import PullSecret, Toleration


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The parsed command line of `run`; times in seconds."""

    suites: tuple[str, ...]
    listing: bool
    required: tuple[str, ...]
    timeout: float
    interface: str | None
    pcap: Path | None
    output: str
    junit_file: Path | None
    html_file: Path | None
    strict: bool
    color: str
    access: Access
    echo: str
    image: str | None
    image_pull_secret: PullSecret | None
    node_selector: tuple[tuple[str, str], ...]
    taints: tuple[Toleration, ...]
    dry_run: bool
    keep: bool
    lab: bool
    profile: str | None
    faults: tuple[str, ...]
    control_plane: str
    verbose: bool
    quiet: bool
