"""`ledger-service health`: ask a running service whether it serves (grpc.health.v1, or /readyz of REST)."""

from __future__ import annotations

import http.client
from typing import Annotated

import typer

from ledger_service.cli.errors import CommandError
from ledger_service.config import Address, load_settings

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
) -> None:
    """Check that the service answers and is SERVING. Exit 0 if so, 1 if not: for container health checks."""
    settings = load_settings(**{"rest" if rest else "grpc": address})
    by_rest = rest or settings.grpc == "off"
    listener = settings.rest if by_rest else settings.grpc
    if listener == "off":
        raise CommandError("LEDGER_REST is off; leave --rest out")
    target = Address.parse(listener)
    target = target._replace(host=_ANY_HOST.get(target.host, target.host))
    status = _check_rest(target, timeout) if by_rest else _check(str(target), service, timeout)
    typer.echo(status)
    if status != "SERVING":
        raise typer.Exit(1)


def _check(target: str, service: str, timeout: float) -> str:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    # A proxy meant for the outside is not to be asked about this machine.
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            # The published type stubs leave the methods out.
            request = health_pb2.HealthCheckRequest(service=service)
            answer = stub.Check(request, timeout=timeout)  # type: ignore[attr-defined]
        except grpc.RpcError as error:
            raise CommandError(f"no healthy service at {target}: {error.code().name}: {error.details()}") from None
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _check_rest(target: Address, timeout: float) -> str:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout)
    try:
        connection.request("GET", "/readyz")
        return "SERVING" if connection.getresponse().status == 200 else "NOT_SERVING"
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"no healthy service at {target}: {error}") from None
    finally:
        connection.close()
