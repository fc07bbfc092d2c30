"""The controllers of the lab's cluster: they speak the Kubernetes API, and touch the network through `lab.driver`."""

from __future__ import annotations

from l2probe.lab.controllers.cluster import RunningCluster, start_cluster

__all__ = ["RunningCluster", "start_cluster"]
