"""The miniature cluster: the world on the other side of the wire. It knows nothing of the tool that looks at it."""
