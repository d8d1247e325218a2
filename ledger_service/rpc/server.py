"""The gRPC server: services, health, reflection, and how it ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger.v1 import (
    account_service_pb2,
    category_service_pb2,
    entity_service_pb2,
    reconciliation_service_pb2,
    transaction_service_pb2,
)
from ledger_service.application.access import SCOPES
from ledger_service.application.use_cases import UseCases
from ledger_service.rpc.account_service import AccountServicer
from ledger_service.rpc.category_service import CategoryServicer
from ledger_service.rpc.entity_service import EntityServicer
from ledger_service.rpc.reconciliation_service import ReconciliationServicer
from ledger_service.rpc.registration import register
from ledger_service.rpc.transaction_service import TransactionServicer
from ledger_service.tls import TlsFiles, TlsMaterial, TlsSource

_MAX_METADATA_BYTES = 16 * 1024


class CannotListenError(Exception):
    """The address is taken or not ours."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """See config.Settings."""

    address: str
    reuse_port: bool
    max_message_bytes: int
    max_concurrent_rpcs: int
    max_connection_calls: int
    tls: TlsFiles | None = None
    """None: plain text."""
    mutual_address: str | None = None
    """A second listener that demands client certificates; the first one then asks for none. grpc's Python knows no
    listener that asks for a certificate and does without."""


class Server:
    """One listening server of one process."""

    def __init__(self, use_cases: UseCases, options: ServerOptions) -> None:
        self._server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", int(options.reuse_port)),
                ("grpc.max_receive_message_length", options.max_message_bytes),
                ("grpc.max_send_message_length", options.max_message_bytes),
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                # More wait in the client, where they cost nothing: even to refuse a call takes half of what it takes
                # to answer one, and calls that nobody held back would be read, kept and answered too late.
                ("grpc.max_concurrent_streams", options.max_connection_calls),
                # A peer that has vanished is noticed, and one that pings too often is told off.
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ),
            maximum_concurrent_rpcs=options.max_concurrent_rpcs,
        )
        servicers = {
            entity_service_pb2.DESCRIPTOR.services_by_name["EntityService"]: EntityServicer(use_cases),
            account_service_pb2.DESCRIPTOR.services_by_name["AccountService"]: AccountServicer(use_cases),
            category_service_pb2.DESCRIPTOR.services_by_name["CategoryService"]: CategoryServicer(use_cases),
            transaction_service_pb2.DESCRIPTOR.services_by_name["TransactionService"]: TransactionServicer(use_cases),
            reconciliation_service_pb2.DESCRIPTOR.services_by_name["ReconciliationService"]: ReconciliationServicer(
                use_cases
            ),
        }
        for service, servicer in servicers.items():
            register(self._server, service, servicer)
        services = list(servicers)
        _check_every_method_has_a_scope(services)
        self._names = ["", *(service.full_name for service in services)]
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        tls, mutual = options.tls, options.mutual_address
        mutual_only = tls is not None and tls.client_ca is not None and mutual is None
        self.address = self._listen(options.address, tls, demand_certificate=mutual_only)
        self.mutual_address = self._listen(mutual, tls, demand_certificate=True) if mutual is not None else None

    def _listen(self, address: str, tls: TlsFiles | None, *, demand_certificate: bool) -> str:
        """Take the address; gives it with the port that was chosen. Raises CannotListenError, TlsError."""
        try:
            if tls is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, _credentials(tls, demand_certificate=demand_certificate))
        except RuntimeError as error:
            raise CannotListenError(f"can't listen on {address}: is another server running there?") from error
        host, _, _ = address.rpartition(":")
        return f"{host}:{port}"

    async def start(self) -> None:
        """Serve."""
        await self._server.start()
        await self.set_serving(True)

    async def set_serving(self, serving: bool) -> None:
        """What health checks are told."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            await self._health.set(name, status)

    async def stop(self, seconds: float) -> None:
        """Take no new calls, give those under way so long."""
        await self._server.stop(seconds)


def _credentials(files: TlsFiles, *, demand_certificate: bool) -> grpc.ServerCredentials:
    """Credentials that look for new files before each handshake."""
    source = TlsSource(files)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        material = source.renewed()
        return _configuration(material) if material is not None else None

    return grpc.dynamic_ssl_server_credentials(
        _configuration(source.current),
        renewed,  # type: ignore[arg-type]  # None, documented as "no change", is missing in the published stubs
        require_client_authentication=demand_certificate,
    )


def _configuration(material: TlsMaterial) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(material.key, material.certificate)], material.client_ca)


def _check_every_method_has_a_scope(services: Iterable[ServiceDescriptor]) -> None:
    missing = [method.full_name for service in services for method in service.methods if method.name not in SCOPES]
    if missing:
        raise RuntimeError(f"no scope is named for {', '.join(missing)}: see application.access.SCOPES")
