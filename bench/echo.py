"""The yardstick of calls: a bare grpc.aio server that answers the ledger's messages with an answer made beforehand.

It runs on uvloop; there are as many processes as the service has, on one port. Requests are parsed and answers
serialized, and nothing else is done: no token is looked at, nothing checked, nothing kept. `python -m bench.echo`, see
bench.child: the task is {"answer": hex of a CreateTransactionResponse, "port": N or 0, "shared": more on that port}.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from typing import Any

import grpc

from bench.child import answer_tasks
from ledger.v1 import transaction_service_pb2 as pb

# Or it would be collected.
_running: list[Any] = []


class Echo(grpc.GenericRpcHandler):
    """CreateTransaction and StreamCreateTransactions."""

    def __init__(self, answer: pb.CreateTransactionResponse) -> None:
        async def unary(_request: Any, _context: Any) -> pb.CreateTransactionResponse:  # noqa: ANN401
            return answer

        async def stream(
            requests: AsyncIterator[Any],
            _context: Any,  # noqa: ANN401
        ) -> AsyncIterator[pb.StreamCreateTransactionsResponse]:
            index = 0
            async for _ in requests:
                yield pb.StreamCreateTransactionsResponse(index=index, response=answer)
                index += 1

        self._methods = {
            "/ledger.v1.TransactionService/CreateTransaction": grpc.unary_unary_rpc_method_handler(
                unary, pb.CreateTransactionRequest.FromString, pb.CreateTransactionResponse.SerializeToString
            ),
            "/ledger.v1.TransactionService/StreamCreateTransactions": grpc.stream_stream_rpc_method_handler(
                stream,
                pb.StreamCreateTransactionsRequest.FromString,
                pb.StreamCreateTransactionsResponse.SerializeToString,
            ),
        }

    def service(self, handler_call_details: Any) -> Any:  # noqa: ANN401
        """The handler of a method."""
        return self._methods.get(handler_call_details.method)


async def handle(task: dict[str, Any]) -> dict[str, Any]:
    """Serve; the answer is where."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", int(task["shared"])),))
    server.add_generic_rpc_handlers((Echo(pb.CreateTransactionResponse.FromString(bytes.fromhex(task["answer"]))),))
    port = server.add_insecure_port(f"127.0.0.1:{task['port']}")
    await server.start()
    _running.append(server)
    # As the service does (bootstrap.run_worker).
    gc.collect()
    gc.freeze()
    return {"port": port}


if __name__ == "__main__":
    answer_tasks(handle)
