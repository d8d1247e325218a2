"""Makes servicers known to the server. They may answer messages or their bytes.

Bytes that are no message are answered like any other malformed request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError

from ledger_service.domain.errors import LedgerError, Reason

_Message = TypeVar("_Message")


class Malformed:
    """Stands for a request whose bytes could not be read. grpc.aio would answer UNKNOWN, which is ambiguous."""

    __slots__ = ("cause",)

    def __init__(self, cause: str) -> None:
        self.cause = cause


def well_formed(request: _Message | Malformed) -> _Message:
    """The request. Raises LedgerError INVALID_ARGUMENT for one whose bytes could not be read."""
    if isinstance(request, Malformed):
        raise LedgerError(
            Reason.INVALID_ARGUMENT,
            f"the request is no well-formed message: {request.cause}; make it with stubs generated from the protos",
            {"field": ""},
        )
    return request


def register(server: grpc.aio.Server, service: ServiceDescriptor, servicer: object) -> None:
    """All methods of a service."""
    handlers = {method.name: _handler(method, getattr(servicer, method.name)) for method in service.methods}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


def _handler(method: MethodDescriptor, behaviour: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
    parse = message_factory.GetMessageClass(method.input_type).FromString
    serialize = message_factory.GetMessageClass(method.output_type).SerializeToString
    make: Callable[..., grpc.RpcMethodHandler[Any, Any]]
    if method.server_streaming:
        make = (
            grpc.stream_stream_rpc_method_handler if method.client_streaming else grpc.unary_stream_rpc_method_handler
        )
    elif method.client_streaming:
        make = grpc.stream_unary_rpc_method_handler
    else:
        make = grpc.unary_unary_rpc_method_handler

    def read(data: bytes) -> object:
        try:
            return parse(data)
        except DecodeError as error:
            return Malformed(str(error).partition(":")[0])

    def write(answer: Any) -> bytes:  # noqa: ANN401  # a message of the method's type, or its bytes
        return answer if type(answer) is bytes else serialize(answer)

    return make(behaviour, request_deserializer=read, response_serializer=write)
