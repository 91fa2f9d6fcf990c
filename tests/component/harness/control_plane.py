"""A Kubernetes without nodes: etcd, kube-apiserver and kube-controller-manager, all of them real."""

import json
import secrets
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes.dynamic import DynamicClient
from tests.frozen import frozen
from tests.ports import free_port
from tests.waiting import eventually

from .binaries import binary
from .loopback import kubernetes_client, open_url
from .pods import NODE
from .processes import Server, start
from .reaper import Reaper

_ADMIN_TOKEN = "component-tests"  # noqa: S105 - of a server that lives on loopback for as long as the tests
# What is real here. Without a scheduler and a kubelet, pods stay pending until a test says otherwise.
_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "job-controller",
    "endpointslice-controller",
    "serviceaccount-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "disruption-controller",
)


class ControlPlane:
    """A running control plane and its administrator's clients.

    Attributes:
        url: Where the API server listens.
        kubeconfig: The administrator's kubeconfig file.
        certificate: The authority to verify the API server with.
        token: The administrator's bearer token.
        api: The administrator's client; `core`, `apps` and `custom` are its APIs.
        reaper: Removes pods that are being deleted, where a kubelet would.
    """

    def __init__(self, folder: Path, *features: str) -> None:
        """Start it.

        Args:
            folder: For everything that it writes.
            features: Feature gates of the API server that are switched on.
        """
        self.folder = folder
        self._gates = [f"--feature-gates={name}=true" for name in features]
        self.reaper: Reaper | None = None
        self._servers: list[Server] = []
        self._port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.token = _ADMIN_TOKEN
        self.certificate = folder / "certificates" / "apiserver.crt"
        self.kubeconfig = self.write_kubeconfig("admin", _ADMIN_TOKEN)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        self.api = kubernetes_client(self.kubeconfig)
        # Any: by the client's types every attribute of every object may be None.
        self.core: Any = client.CoreV1Api(self.api)
        self.apps: Any = client.AppsV1Api(self.api)
        self.custom: Any = client.CustomObjectsApi(self.api)
        self.core.create_node(client.V1Node(metadata=client.V1ObjectMeta(name=NODE)))
        self.reaper = Reaper(self.api)
        self.reaper.start()
        self._dynamic: DynamicClient | None = None

    def stop(self) -> None:
        """End all servers, the last started first."""
        try:
            if self.reaper:
                self.reaper.stop()
        finally:
            while self._servers:
                self._servers.pop().stop()

    @contextmanager
    def fresh_namespace(self) -> Iterator[str]:
        """A namespace of a test's own, gone afterwards."""
        if self.reaper:
            self.reaper.check()
        name = f"test-{secrets.token_hex(4)}"
        self.core.create_namespace({"metadata": {"name": name}})
        eventually(
            lambda: any(
                account.metadata.name == "default" for account in self.core.list_namespaced_service_account(name).items
            ),
            "the namespace's default ServiceAccount, without which no pod is made",
        )
        yield name
        self.core.delete_namespace(name)

    @contextmanager
    def frozen_controllers(self) -> Iterator[None]:
        """The controller-manager stands still: no garbage is collected, no pods are made, no endpoints published."""
        process = next(server.process for server in self._servers if server.name == "kube-controller-manager")
        with frozen(process.pid):
            yield

    def apply(self, manifest: dict[str, Any], manager: str = "component-tests") -> Any:
        """Server-side apply of any manifest, also of kinds that a CRD has just added."""
        dynamic = self._dynamic or DynamicClient(self.api)
        # Discovery is cached: a kind that is not found may have been added since.
        try:
            resource = dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        except Exception:  # noqa: BLE001 - the client has several errors for this; the second try shows it
            dynamic = DynamicClient(self.api)
            resource = dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        self._dynamic = dynamic
        return resource.server_side_apply(
            body=manifest,
            name=manifest["metadata"]["name"],
            namespace=manifest["metadata"].get("namespace"),
            field_manager=manager,
            force_conflicts=True,
        ).to_dict()

    def delete(self, manifest: dict[str, Any]) -> None:
        """Delete what was applied."""
        metadata = manifest["metadata"]
        resource = DynamicClient(self.api).resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        resource.delete(name=metadata["name"], namespace=metadata.get("namespace"))

    def get(self, path: str, accept: str = "application/json") -> Any:
        """The JSON that the API server answers at a path, for what the clients have no call for."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        with _ask(
            f"{self.url}{path}", context, {"Authorization": f"Bearer {_ADMIN_TOKEN}", "Accept": accept}
        ) as answer:
            return json.load(answer)

    def write_kubeconfig(self, user: str, token: str) -> Path:
        """A kubeconfig file for somebody with a bearer token."""
        path = self.folder / f"{user}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        # Moved into its place: an operator that starts now may be reading the one before.
        written = path.with_suffix(".new")
        written.touch(0o600)
        written.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": user,
                    "clusters": [{"name": "component", "cluster": cluster}],
                    "users": [{"name": user, "user": {"token": token}}],
                    "contexts": [{"name": user, "context": {"cluster": "component", "user": user}}],
                }
            )
        )
        return written.replace(path)

    def kubeconfig_of(self, account: str, namespace: str) -> Path:
        """A kubeconfig file for a ServiceAccount, with the rights that RBAC gives it and no others."""
        request = client.AuthenticationV1TokenRequest(
            spec=client.V1TokenRequestSpec(audiences=[_ISSUER], expiration_seconds=3600)
        )
        granted = self.core.create_namespaced_service_account_token(account, namespace, request)
        return self.write_kubeconfig(f"{namespace}-{account}", granted.status.token)

    def _start(self) -> None:
        key = self.folder / "service-accounts.key"
        subprocess.run(
            ["openssl", "ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", key],
            check=True,
        )
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f"{_ADMIN_TOKEN},admin,admin,system:masters\n")
        etcd = self._start_etcd()
        self._launch(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={self.certificate.parent}",
            "--service-cluster-ip-range=10.96.0.0/16",
            # The Service `kubernetes` may not have a loopback address as its endpoint.
            "--endpoint-reconciler-type=none",
            "--authorization-mode=RBAC",
            f"--token-auth-file={tokens}",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            *self._gates,
        ).wait_until(self._answers)
        self._launch(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--cert-dir={self.folder / 'controller-manager'}",
            "--leader-elect=false",
            f"--controllers={','.join(_CONTROLLERS)}",
            f"--service-account-private-key-file={key}",
            # Of twenty a second, every restart of a test's rollout would feel the limit.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        )

    def _start_etcd(self) -> str:
        url, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._launch(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
        ).wait_until(lambda: _ok(f"{url}/health"))
        return url

    def _launch(self, name: str, *arguments: str) -> Server:
        server = start(name, [binary(name), *arguments], self.folder / f"{name}.log")
        self._servers.append(server)
        return server

    def _answers(self) -> bool:
        try:
            context = ssl.create_default_context(cafile=str(self.certificate))
        except OSError:  # not there yet, or half written
            return False
        return _ok(f"{self.url}/readyz", context, _ADMIN_TOKEN)


_ISSUER = "https://kubernetes.default.svc.cluster.local"


def _ok(url: str, context: ssl.SSLContext | None = None, token: str = "") -> bool:
    """Does this address answer with 200?"""
    try:
        with _ask(url, context, {"Authorization": f"Bearer {token}"} if token else {}) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _ask(url: str, context: ssl.SSLContext | None, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    return open_url(request, context=context)
