"""Certificates in files: an authority, a server's, clients'."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Authority:
    """An authority of its own, and a folder that it writes to."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self.ca.cert_pem.bytes()

    def trust_file(self) -> Path:
        """The authority's certificate in a file."""
        path = self.folder / "ca.pem"
        path.write_bytes(self.pem)
        return path

    def server_files(self, name: str = "server", *hosts: str) -> tuple[Path, Path]:
        """A server's certificate and key, for this machine unless other hosts are named."""
        issued = self.ca.issue_cert(*(hosts or ("localhost", "127.0.0.1")))
        return self._write(
            name, b"".join(each.bytes() for each in issued.cert_chain_pems), issued.private_key_pem.bytes()
        )

    def client(self, *dns_names: str, uris: tuple[str, ...] = ()) -> tuple[bytes, bytes]:
        """A client's certificate and key; trustme knows no URIs."""
        key = ec.generate_private_key(ec.SECP256R1())
        authority = serialization.load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        assert isinstance(authority, ec.EllipticCurvePrivateKey)
        now = dt.datetime.now(dt.UTC)
        names = [*map(x509.DNSName, dns_names), *map(x509.UniformResourceIdentifier, uris)]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a client")]))
            .issuer_name(x509.load_pem_x509_certificate(self.pem).subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(authority, hashes.SHA256())
        )
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(*form)

    def _write(self, name: str, certificate: bytes, key: bytes) -> tuple[Path, Path]:
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        for path, content in zip(paths, (certificate, key), strict=True):
            # Replaced as a whole, as tools that rotate certificates do.
            scratch = path.with_suffix(".new")
            scratch.write_bytes(content)
            scratch.replace(path)
        return paths
