"""Certificates: a CA of the webhook's own, leaves under it, and what a PEM says. Time is an argument.

ECDSA on P-256, which every API server verifies in microseconds. Each CA has a name and a key of its own, so that old
and new can stand side by side in one bundle. A key of a leaf never leaves the process; the CA's lives in a Secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SKEW: Final = timedelta(hours=1)
"""How far a certificate is dated back, for API servers whose clocks are behind."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate, with its chain if it has one, and its private key, both in PEM."""

    certificate: str
    key: str


def new_authority(now: datetime, lifetime: timedelta) -> Pair:
    """A self-signed CA that signs leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"nodelocaldns webhook CA {now:%Y-%m-%dT%H:%M:%S.%fZ}")])
    certificate = (
        _builder(name, name, key.public_key(), now, now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(_pem(certificate), _key_pem(key))


def new_leaf(authority: Pair, names: Sequence[str], now: datetime) -> Pair:
    """A server certificate for host names and addresses, valid as long as its CA."""
    issuer = read_certificates(authority.certificate)[0]
    issuer_key = serialization.load_pem_private_key(authority.key.encode(), password=None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - made by new_authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    certificate = (
        _builder(subject, issuer.subject, key.public_key(), now, issuer.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(authority_id, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return Pair(_pem(certificate), _key_pem(key))


def read_certificates(pem: str) -> list[x509.Certificate]:
    """All certificates of a PEM in order; ValueError for what is none."""
    return x509.load_pem_x509_certificates(pem.encode())


def valid_between(pem: str) -> tuple[datetime, datetime]:
    """When the first certificate of a PEM begins and ends to be valid; ValueError for what is none."""
    certificate = read_certificates(pem)[0]
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def is_verified_by(chain_pem: str, bundle_pem: str) -> bool:
    """Whether a chain, leaf first, leads to a certificate of the bundle; expiry is not looked at."""
    try:
        chain, trusted = read_certificates(chain_pem), read_certificates(bundle_pem)
    except ValueError:
        return False
    for certificate, above in zip(chain, [*chain[1:], None], strict=True):
        if certificate in trusted or any(_issued(certificate, by) for by in trusted):
            return True
        if above is None or not _issued(certificate, above):
            return False
    return False


def _issued(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - SKEW).not_valid_after(until)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
