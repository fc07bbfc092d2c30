"""Starting, being reached, and ending."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path

import pytest

from l2probe.lab.api import start_api
from tests.lab.api.client import CORE, Server, serving


def test_the_kubeconfig_is_complete(server: Server) -> None:
    """Current context `l2probe-lab`, namespace default, the CA inside, and the token."""
    config = json.loads(server.api.kubeconfig(server.url))
    context = config["contexts"][0]

    assert (config["current-context"], context["name"], context["context"]["namespace"]) == (
        "l2probe-lab",
        "l2probe-lab",
        "default",
    )
    assert config["users"][0]["user"] == {"token": server.api.token}
    assert config["clusters"][0]["cluster"]["server"] == server.url
    assert "certificate-authority-data" in config["clusters"][0]["cluster"]


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "localhost"])
def test_the_certificate_names_the_loopback(server: Server, name: str) -> None:
    """TLS clients that verify names accept the server under each of its addresses."""
    context = ssl.create_default_context(cadata=server.api.ca_pem.decode())
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname=name) as wrapped,
    ):
        assert wrapped.version() in {"TLSv1.2", "TLSv1.3"}


def test_strangers_do_not_trust_it(server: Server) -> None:
    """Without the CA of the kubeconfig the certificate is refused."""
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


def test_two_servers_share_nothing(tmp_path: Path) -> None:
    """Each server has its own authority, tokens and objects."""
    with serving(tmp_path) as one, serving(tmp_path) as other:
        one.make(f"{CORE}/namespaces", {"metadata": {"name": "only-here"}})
        assert one.api.ca_pem != other.api.ca_pem
        assert one.api.token != other.api.token
        assert other.get(f"{CORE}/namespaces/only-here").code == 404


def test_several_sockets_are_one_server() -> None:
    """The server listens on all sockets that it is given; closing it closes them."""

    async def life() -> list[int]:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        ports = [each.getsockname()[1] for each in sockets]
        api = await start_api(sockets)
        context = ssl.create_default_context(cadata=api.ca_pem.decode())
        codes = []
        for port in ports:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            codes.append(int((await reader.readline()).split()[1]))
            writer.close()
            await writer.wait_closed()
        await api.close()
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
        return codes

    assert asyncio.run(life()) == [200, 200]


def test_a_strange_version_is_refused(tmp_path: Path) -> None:
    """Clients parse gitVersion: what does not look like v1.2.3 is refused at start, what does is announced."""
    with pytest.raises(ValueError, match=r"does not look like v1\.2\.3"):
        asyncio.run(start_api([], git_version="1.34"))
    with serving(tmp_path, git_version="v1.29.3") as server:
        assert server.get("/version").body["minor"] == "29"


def test_every_namespace_is_furnished(server: Server) -> None:
    """Four namespaces from the start; each, also a new one, has the default account and the CA's certificate."""
    server.make(f"{CORE}/namespaces", {"metadata": {"name": "shop"}})
    names = [item["metadata"]["name"] for item in server.get(f"{CORE}/namespaces").body["items"]]

    assert names == ["default", "kube-node-lease", "kube-public", "kube-system", "shop"]
    for name in names:
        assert server.get(f"{CORE}/namespaces/{name}/serviceaccounts/default").code == 200
        root = server.get(f"{CORE}/namespaces/{name}/configmaps/kube-root-ca.crt").body
        assert root["data"]["ca.crt"] == server.api.ca_pem.decode()
    labels = server.get(f"{CORE}/namespaces/shop").body["metadata"]["labels"]
    assert labels == {"kubernetes.io/metadata.name": "shop"}
