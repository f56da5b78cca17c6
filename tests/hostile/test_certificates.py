"""Servers whose certificate is not trusted, and one whose authority the user configures."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crawler.sample_site import Corpus, SampleSite
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner

DAY = timedelta(days=1)


def write_certificate(path: Path, *, address: str = "127.0.0.1", age: timedelta = DAY) -> Path:
    """Write a key and a self-signed certificate that became valid `age` ago, for two days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, address)])
    valid_from = datetime.now(UTC) - age
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_from)
        .not_valid_after(valid_from + 2 * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def crawl_with_tls(finews: CommandRunner, certificate: Path, **environment: str) -> CommandResult:
    """Crawl a sample site with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with SampleSite(Corpus.sample(12), tls=context) as sample_site:
        args = (
            "--mirror",
            sample_site.url,
            "--output",
            str(certificate.parent / "output"),
            "--column",
            "345",
            "--json",
        )
        result = finews("crawl", *args, "--set", "RETRY_TIMES=0", *FAST_SETTINGS, **environment)
        assert bool(sample_site.requests) == (result.exit_code == 0)
    return result


def test_certificate_of_a_named_authority_is_trusted(finews: CommandRunner, tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "site.pem")
    result = crawl_with_tls(finews, certificate, SSL_CERT_FILE=str(certificate))
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("address", "age", "is_named", "expected_text"),
    [
        ("127.0.0.1", DAY, False, "has expired, or its authority is unknown here"),
        ("127.0.0.1", 9 * DAY, True, "has expired, or its authority is unknown here"),
        ("127.0.0.2", DAY, True, "another host's"),
    ],
    ids=["unknown authority", "expired", "another host's"],
)
def test_untrusted_certificate_fails_the_crawl_and_names_the_variable(
    finews: CommandRunner, tmp_path: Path, address: str, age: timedelta, is_named: bool, expected_text: str
) -> None:
    certificate = write_certificate(tmp_path / "site.pem", address=address, age=age)
    environment = {"SSL_CERT_FILE": str(certificate)} if is_named else {}
    result = crawl_with_tls(finews, certificate, **environment)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert expected_text in line
    assert "SSL_CERT_FILE" in line
    assert "the certificate" in line
    assert "Failure" not in line
    assert str(tmp_path) not in json.dumps(result.json["failed_listings"])
