"""`ledger-service health`: ask a running service whether it serves (grpc.health.v1, or /readyz of REST)."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import Address, load_settings

if TYPE_CHECKING:
    from grpc import Channel

# Addresses to listen on, which are no addresses to connect to.
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared with, not bound to)


def command(
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT of the service; default: LEDGER_GRPC, 127.0.0.1:50051.")
    ] = None,
    rest: Annotated[
        bool,
        typer.Option("--rest", help="Ask REST (default: LEDGER_REST, 127.0.0.1:8080); so does LEDGER_GRPC=off."),
    ] = False,
    service: Annotated[
        str, typer.Option(help="A service by its full name, as ledger.v1.TransactionService; default: all.")
    ] = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 3.0,
    tls_certificate: Annotated[
        str | None, typer.Option(help="PEM file of the server's certificate: ask over TLS (LEDGER_TLS_CERTIFICATE).")
    ] = None,
    client_certificate: Annotated[
        Path | None,
        typer.Option(envvar="LEDGER_HEALTH_CERTIFICATE", help="PEM file, where the service demands a certificate."),
    ] = None,
    client_key: Annotated[
        Path | None, typer.Option(envvar="LEDGER_HEALTH_KEY", help="PEM file of the key of --client-certificate.")
    ] = None,
) -> None:
    """Check that the service answers and is SERVING. Exit 0 if so, 1 if not: for container health checks."""
    settings = load_settings(**{"rest" if rest else "grpc": address})
    by_rest = rest or settings.grpc == "off"
    listener = settings.rest if by_rest else settings.grpc
    if listener == "off":
        raise CommandError("LEDGER_REST is off; leave --rest out", ExitCode.USAGE)
    target = Address.parse(listener)
    target = target._replace(host=_ANY_HOST.get(target.host, target.host))
    certificate = Path(tls_certificate) if tls_certificate else settings.tls_certificate
    if by_rest:
        status = _check_rest(target, timeout, certificate, client_certificate, client_key)
    else:
        with _channel(str(target), certificate, client_certificate, client_key) as channel:
            status = _check(channel, str(target), service, timeout)
    typer.echo(status)
    if status != "SERVING":
        raise typer.Exit(1)


def _channel(
    target: str, certificate: Path | None, client_certificate: Path | None, client_key: Path | None
) -> Channel:
    import grpc

    # A proxy meant for the outside is not to be asked about this machine.
    options: list[tuple[str, object]] = [("grpc.enable_http_proxy", 0)]
    if certificate is None:
        return grpc.insecure_channel(target, options=options)
    try:
        pem = certificate.read_bytes()
        key = client_key.read_bytes() if client_key is not None else None
        chain = client_certificate.read_bytes() if client_certificate is not None else None
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}", ExitCode.USAGE) from error
    # This very certificate is trusted and nothing else, whatever name the service is asked by.
    options.append(("grpc.ssl_target_name_override", _name_in(pem)))
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(pem, key, chain), options=options)


def _name_in(pem: bytes) -> str:
    """A name that the certificate is for."""
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise CommandError("the certificate has no names that a client could check", ExitCode.USAGE) from error
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    if not found:
        raise CommandError("the certificate has neither a DNS name nor an IP address", ExitCode.USAGE)
    return found[0].replace("*", "health")


def _check(channel: Channel, target: str, service: str, timeout: float) -> str:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    stub = health_pb2_grpc.HealthStub(channel)
    try:
        # The published type stubs leave the methods out.
        request = health_pb2.HealthCheckRequest(service=service)
        answer = stub.Check(request, timeout=timeout)  # type: ignore[attr-defined]
    except grpc.RpcError as error:
        raise CommandError(f"no healthy service at {target}: {error.code().name}: {error.details()}") from None
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _check_rest(
    target: Address,
    timeout: float,
    certificate: Path | None,
    client_certificate: Path | None,
    client_key: Path | None,
) -> str:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout)
    try:
        if certificate is not None:
            context = _trusting(certificate, client_certificate, client_key)
            connection = http.client.HTTPSConnection(target.host, target.port, timeout=timeout, context=context)
        connection.request("GET", "/readyz")
        return "SERVING" if connection.getresponse().status == 200 else "NOT_SERVING"
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"no healthy service at {target}: {error}") from None
    finally:
        connection.close()


def _trusting(certificate: Path, client_certificate: Path | None, client_key: Path | None) -> ssl.SSLContext:
    """This very certificate is trusted and nothing else, whatever name the service is asked by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    if client_certificate is not None:
        context.load_cert_chain(client_certificate, client_key)
    return context
