"""How the API server is reached: in a pod as its ServiceAccount, elsewhere as the kubeconfig says.

The two differ in what they cost: a kubeconfig may name plugins, proxies and formats of every kind, which a library
knows, and takes 20 MiB for; in a pod there are two files and two variables (Kubernetes: "Accessing the API from a
Pod"), and the operator stays there for months. So the library is imported where a kubeconfig is read, and only there.
"""

from __future__ import annotations

import json
import os
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import aiohttp

if TYPE_CHECKING:
    from kubernetes.aio.client.api_client import ApiClient
    from kubernetes.aio.client.configuration import Configuration

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts a pod's token and the cluster's CA."""
MAX_CONNECTIONS = 200
TOKEN_SECONDS = 60.0
"""How long a token that was read is used: the kubelet replaces it well before it ends."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client of one's own needs: paths of files, except for ``server`` and ``token``."""

    server: str
    ca_path: str | None = None
    token: str | None = field(default=None, repr=False)
    certificate_path: str | None = None
    key_path: str | None = None


class Login(Protocol):
    """One way to the API server."""

    def credentials(self) -> Credentials:
        """What this login is made of, as of now."""

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: Any, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """One request. Errors: aiohttp.ClientError, TimeoutError, OSError where no answer came."""

    async def close(self) -> None:
        """Give back all connections."""


async def login(context: str | None = None) -> Login:
    """From inside a pod its ServiceAccount, elsewhere, or with a context's name, the kubeconfig."""
    if "KUBERNETES_SERVICE_HOST" in os.environ and context is None:
        return Account(ACCOUNT)
    return await Kubeconfig.load(context)


class Account:
    """A pod's own ServiceAccount."""

    def __init__(self, folder: Path) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        self._server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        self._folder = folder
        self._token, self._read_at = "", float("-inf")
        trusted = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted, limit=MAX_CONNECTIONS), trust_env=False
        )

    def credentials(self) -> Credentials:
        """What this login is made of, as of now."""
        return Credentials(self._server, str(self._folder / "ca.crt"), self._current_token())

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: Any, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """One request."""
        authorised = {**headers, "Authorization": f"Bearer {self._current_token()}"}
        data = None if body is None else json.dumps(body)
        return await self._session.request(
            method, self._server + path, headers=authorised, data=data, timeout=timeout, allow_redirects=False
        )

    async def close(self) -> None:
        """Give back all connections."""
        await self._session.close()

    def _current_token(self) -> str:
        if time.monotonic() - self._read_at > TOKEN_SECONDS:
            self._token = (self._folder / "token").read_text(encoding="ascii").strip()
            self._read_at = time.monotonic()
        return self._token


class Kubeconfig:
    """Somebody's kubeconfig, with all that one may hold."""

    def __init__(self, configuration: Configuration, api: ApiClient) -> None:
        self._configuration, self._api = configuration, api

    @classmethod
    async def load(cls, context: str | None) -> Self:
        """Read KUBECONFIG, else ``~/.kube/config``. Errors: whatever its parsers and plugins raise."""
        from kubernetes.aio.client.api_client import ApiClient  # noqa: PLC0415 - costs 20 MiB, see above
        from kubernetes.aio.client.configuration import Configuration  # noqa: PLC0415
        from kubernetes.aio.config.kube_config import load_kube_config  # noqa: PLC0415

        configuration = Configuration()
        await load_kube_config(context=context, client_configuration=configuration)  # type: ignore[no-untyped-call]
        configuration.connection_pool_maxsize = MAX_CONNECTIONS
        return cls(configuration, ApiClient(configuration))

    def credentials(self) -> Credentials:
        """What this login is made of, as of now."""
        own = self._configuration
        _, _, token = str(own.api_key.get("BearerToken") or "").rpartition(" ")
        return Credentials(own.host, own.ssl_ca_cert, token or None, own.cert_file, own.key_file)

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: Any, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """One request."""
        method, url, headers, payload, _ = await self._api.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        answer = await self._api.call_api(method, url, headers, payload, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        return response

    async def close(self) -> None:
        """Give back all connections."""
        await self._api.close()  # type: ignore[no-untyped-call]
