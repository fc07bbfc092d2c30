"""A real kube-apiserver and etcd as the lab's control plane, started as controller-runtime's envtest starts them.

They live in a network namespace of their own, which has nothing but a loopback, and on a file system in memory: with
the lab's last process the kernel takes both away.
"""

from __future__ import annotations

from l2probe.lab.envtest.server import Envtest, start_envtest

__all__ = ["Envtest", "start_envtest"]
