"""What a run puts into the cluster: the objects (`manifests`) and the echo server that runs in its Pods (`echo`)."""
