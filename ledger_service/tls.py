"""TLS for every listener: the files, how they are read, and that new ones are taken without a restart.

Certificates are replaced while services run, every few hours in some places. Both listeners look at the files when
a connection is made, and use what is there; connections that stand keep what they have. Files that do not belong
together, or cannot be read, are logged, and the last good ones are used on.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_log = structlog.get_logger()

_LOOK_SECONDS = 1.0
"""Between two looks at the files, however many connections are made."""


class TlsError(Exception):
    """The files can't be used; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. `client_ca`: whose certificates clients may show; None: clients are not asked for one."""

    certificate: Path
    """The server's, followed by those between it and its authority."""
    key: Path
    client_ca: Path | None = None

    def stamps(self) -> tuple[tuple[int, int, int], ...]:
        """Changes whenever a file does. Raises OSError."""
        found = (path.stat() for path in (self.certificate, self.key, self.client_ca) if path is not None)
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """The files' contents, which belong together."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def read_tls(files: TlsFiles) -> TlsMaterial:
    """Read and check the files. Raises TlsError, in one line, never with anything of their content."""
    certificate, key = _read(files.certificate), _read(files.key)
    client_ca = _read(files.client_ca) if files.client_ca is not None else None
    try:
        chain = x509.load_pem_x509_certificates(certificate)
    except ValueError as error:
        raise TlsError(f"{files.certificate} holds no PEM certificate") from error
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError as error:
        raise TlsError(
            f"{files.key} is encrypted: give a key without a passphrase, in a file only we may read"
        ) from error
    except ValueError as error:
        raise TlsError(f"{files.key} holds no PEM private key") from error
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        raise TlsError(f"{files.key} is not the key of the first certificate in {files.certificate}")
    if client_ca is not None:
        try:
            x509.load_pem_x509_certificates(client_ca)
        except ValueError as error:
            raise TlsError(f"{files.client_ca} holds no PEM certificate") from error
    return TlsMaterial(certificate, key, client_ca)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"{path} cannot be read: {error.strerror}") from error


class TlsSource:
    """The files as they are now. Safe to ask from any thread: gRPC asks from its own."""

    def __init__(self, files: TlsFiles, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raises TlsError."""
        self.files = files
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._stamps = self._stamps_now()
        self._failed: object = None
        self._looked_at = monotonic()
        self.current = read_tls(files)

    def renewed(self) -> TlsMaterial | None:
        """The new contents, once, after the files have changed; None: use those that you have."""
        with self._turn:
            if self._monotonic() - self._looked_at < _LOOK_SECONDS:
                return None
            self._looked_at = self._monotonic()
            stamps = self._stamps_now()
            if stamps == self._stamps:
                return None
            try:
                material = read_tls(self.files)
            except TlsError as error:
                # Half of a change: told once, and looked at again.
                if self._failed != stamps:
                    _log.error("tls_files_not_taken", cause=str(error))
                self._failed = stamps
                return None
            self._stamps, self.current = stamps, material
            _log.info("tls_files_taken", certificate=str(self.files.certificate))
            return material

    def _stamps_now(self) -> object:
        try:
            return self.files.stamps()
        except OSError:
            return None


def server_context(files: TlsFiles, *, require_client_certificate: bool = True) -> ssl.SSLContext:
    """A context for a listener on asyncio, of TLS 1.2 or later, that takes new files by itself.

    With a `client_ca` clients are asked for a certificate; `require_client_certificate` False lets those in that
    have none (`getpeercert()` then gives None). `callers.names_of_peer` makes names of what it gives.

    Raises TlsError.
    """
    source = TlsSource(files)
    context = _context(source, require_client_certificate)
    newest = context

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context_of: ssl.SSLContext) -> None:
        # Called for each handshake, with a server name or without one.
        nonlocal newest
        if source.renewed() is not None:
            try:
                newest = _context(source, require_client_certificate)
            except TlsError as error:
                _log.error("tls_files_not_taken", cause=str(error))
        if newest is not context:
            connection.context = newest

    context.sni_callback = choose
    return context


def _context(source: TlsSource, require_client_certificate: bool) -> ssl.SSLContext:
    files = source.files
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED if require_client_certificate else ssl.CERT_OPTIONAL
            # A resumed session is not verified anew: a client would outlive its certificate, and its authority.
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
    except (ssl.SSLError, OSError) as error:
        raise TlsError(f"{files.certificate} and {files.key} cannot be used: {error.strerror}") from error
    return context
