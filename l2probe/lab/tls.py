"""A certificate authority and a server certificate made at start: EC P-256, a week, this machine's loopback names."""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES: Final = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
ADDRESSES: Final = ("127.0.0.1", "::1")
LIFE: Final = timedelta(days=7)
PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """PEM: the authority that clients trust, and a server's certificate with its key."""

    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """What clients trust, and what the server speaks with."""

    ca_pem: str
    context: ssl.SSLContext


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.Certificate:
    start = datetime.now(UTC) - timedelta(hours=1)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFE)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(_usage(authority=authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not authority:
        alternatives = [
            *(x509.DNSName(name) for name in NAMES),
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES),
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _context(keys: Keys) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "server.pem")  # noqa: PTH118 - the ssl module wants a name
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:  # noqa: PTH123 - opened with its mode
            file.write(keys.key_pem + keys.certificate_pem)
        context.load_cert_chain(path)
    return context


def new_key() -> bytes:
    """Return a fresh private key as PEM; in the one form (SEC 1) of which client-go also reads the public key."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, form, serialization.NoEncryption())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def make_keys() -> Keys:
    """Return a fresh authority and a server certificate signed by it; the authority's own key is forgotten."""
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("l2probe-lab-ca", "l2probe-lab-ca", authority, authority, authority=True)
    leaf = _certificate("l2probe-lab", "l2probe-lab-ca", server, authority, authority=False)
    return Keys(ca_pem=root.public_bytes(PEM), certificate_pem=leaf.public_bytes(PEM), key_pem=_pem(server))


def make_identity(keys: Keys | None = None) -> Identity:
    """Return what a server needs to speak with these keys (none given: fresh ones, which live in this process only)."""
    keys = keys or make_keys()
    return Identity(keys.ca_pem.decode(), _context(keys))
