"""The kinds of objects that the operator reads and writes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind and where the API serves it."""

    api_version: str
    plural: str

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Path of a namespaced object, or of all of them when `name` is empty; of all namespaces when that is."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = [root, "namespaces" if namespace else "", namespace, self.plural, name, subresource]
        return "/".join(part for part in parts if part)


MODEL_DEPLOYMENT = Kind("viridian.dev/v1alpha1", "modeldeployments")
DEPLOYMENT = Kind("apps/v1", "deployments")
CONTROLLER_REVISION = Kind("apps/v1", "controllerrevisions")
SERVICE = Kind("v1", "services")
POD = Kind("v1", "pods")
CONFIG_MAP = Kind("v1", "configmaps")
EVENT = Kind("v1", "events")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "endpointslices")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "httproutes")
GATEWAY = Kind("gateway.networking.k8s.io/v1", "gateways")
AUTOSCALER = Kind("autoscaling/v2", "horizontalpodautoscalers")
JOB = Kind("batch/v1", "jobs")
BUDGET = Kind("policy/v1", "poddisruptionbudgets")
SECRET = Kind("v1", "secrets")
QUOTA = Kind("v1", "resourcequotas")
LEASE = Kind("coordination.k8s.io/v1", "leases")
