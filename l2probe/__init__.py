"""l2probe proves, from outside the cluster, who owns a LoadBalancer address and whether traffic to it arrives."""

__version__ = "0.1.0"
