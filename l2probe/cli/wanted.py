"""What the user wanted of the commands that ask a cluster, typed: what is common to them, and what is `run`'s own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from l2probe.observe.access import Access
from l2probe.workload.manifests import PullSecret, Toleration


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of `report_options`, `cluster_options`, `lab_options` and `talk_options`, and --interface."""

    interface: str | None
    output: str
    junit_file: Path | None
    html_file: Path | None
    strict: bool
    color: str
    access: Access
    lab: bool
    profile: str | None
    faults: tuple[str, ...]
    control_plane: str
    verbose: bool
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWanted(Wanted):
    """The parsed command line of `run`; times in seconds."""

    suites: tuple[str, ...]
    listing: bool
    required: tuple[str, ...]
    timeout: float
    pcap: Path | None
    echo: str
    image: str | None
    image_pull_secret: PullSecret | None
    node_selector: tuple[tuple[str, str], ...]
    taints: tuple[Toleration, ...]
    dry_run: bool
    keep: bool
