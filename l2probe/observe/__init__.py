"""The edges: Kubernetes API, Ethernet, sockets, and where we stand. They observe and never judge."""
