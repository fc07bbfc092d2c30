"""An embedded Kubernetes API server: what the lab's controllers, kubectl and l2probe talk to when there is no real one.

It must not know anything about networks, nodes or announcements: those are the controllers' business, over HTTP.
"""

from l2probe.lab.api.logs import LogQuery, LogSource
from l2probe.lab.api.server import ApiServer, start_api

__all__ = ["ApiServer", "LogQuery", "LogSource", "start_api"]
