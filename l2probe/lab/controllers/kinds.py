"""The kinds of API objects that the controllers know, and where each lives. Data only."""

from __future__ import annotations

from dataclasses import dataclass

POOLS = "ciliumloadbalancerippools"
POLICIES = "ciliuml2announcementpolicies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind and its collection; `group` is empty for the core group."""

    version: str
    plural: str
    name: str
    group: str = ""
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The apiVersion that its objects carry."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of the collection, of one object, or of an object's subresource."""
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/".join(part for part in (*parts, self.plural, name, subresource) if part)


NAMESPACE = Kind(version="v1", plural="namespaces", name="Namespace", namespaced=False)
NODE = Kind(version="v1", plural="nodes", name="Node", namespaced=False)
POD = Kind(version="v1", plural="pods", name="Pod")
SERVICE = Kind(version="v1", plural="services", name="Service")
CONFIG_MAP = Kind(version="v1", plural="configmaps", name="ConfigMap")
SECRET = Kind(version="v1", plural="secrets", name="Secret")
SERVICE_ACCOUNT = Kind(version="v1", plural="serviceaccounts", name="ServiceAccount")
EVENT = Kind(version="v1", plural="events", name="Event")
SLICE = Kind(group="discovery.k8s.io", version="v1", plural="endpointslices", name="EndpointSlice")
LEASE = Kind(group="coordination.k8s.io", version="v1", plural="leases", name="Lease")
DAEMON_SET = Kind(group="apps", version="v1", plural="daemonsets", name="DaemonSet")
DEPLOYMENT = Kind(group="apps", version="v1", plural="deployments", name="Deployment")
CRD = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    name="CustomResourceDefinition",
    namespaced=False,
)
CLUSTER_ROLE = Kind(
    group="rbac.authorization.k8s.io", version="v1", plural="clusterroles", name="ClusterRole", namespaced=False
)
CLUSTER_ROLE_BINDING = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterrolebindings",
    name="ClusterRoleBinding",
    namespaced=False,
)
POLICY = Kind(
    group="cilium.io",
    version="v2alpha1",
    plural=POLICIES,
    name="CiliumL2AnnouncementPolicy",
    namespaced=False,
)


def _metallb(plural: str, name: str) -> Kind:
    return Kind(group="metallb.io", version="v1beta1", plural=plural, name=name)


IP_ADDRESS_POOL = _metallb("ipaddresspools", "IPAddressPool")
L2_ADVERTISEMENT = _metallb("l2advertisements", "L2Advertisement")
L2_STATUS = _metallb("servicel2statuses", "ServiceL2Status")


def pool(version: str) -> Kind:
    """Return the address pool in this API version ("v2" or "v2alpha1")."""
    return Kind(group="cilium.io", version=version, plural=POOLS, name="CiliumLoadBalancerIPPool", namespaced=False)
