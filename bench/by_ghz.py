"""Single calls by ghz: a load generator in Go, so that the generator is not what is measured.

Its requests are serialized beforehand into a file and sent in order, so each has a key of its own.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf import descriptor_pb2

from bench.child import ROOT
from bench.errors import BenchError
from bench.requests import Mix, Requests
from ledger.v1 import account_service_pb2, transaction_service_pb2

_CALL = "ledger.v1.TransactionService/CreateTransaction"
_MOST_CALLS_PER_SECOND = 15_000
"""More requests than this are not prepared; a run that reaches it fails and says so."""


def find() -> Path | None:
    """The one that scripts/install_ghz put beside the caches, or one on the PATH."""
    local = ROOT / ".cache" / "bin" / "ghz"
    if local.is_file():
        return local
    found = shutil.which("ghz")
    return Path(found) if found else None


async def run(program: Path, task: dict[str, Any]) -> dict[str, Any]:
    """One measurement, as bench.load answers it. Raises BenchError when a call failed.

    Task: target, token, mix, seed, seconds, concurrency, connections, and with `rate` the calls a second that are sent
    whether earlier ones are answered or not.
    """
    prepared = int(task["seconds"] * (task.get("rate") or _MOST_CALLS_PER_SECOND)) + task["concurrency"] + 100
    return _calls(json.loads(await _answer(program, task, prepared, "60s")), prepared)


async def flood(program: Path, task: dict[str, Any], give_up: str, stop: str) -> Flooded:
    """Send more than the server can answer, at `rate` calls a second; each gives up after `give_up`, as "5s".

    At the end calls that are under way are broken off, with `stop` "close", or waited for, with "wait". At low
    priority: callers have machines of their own, and are not to take the server's cores.
    """
    prepared = int(task["seconds"] * task["rate"]) + 100
    answer = await _answer(program, task, prepared, give_up, "--duration-stop", stop, before=("nice", "-n", "19"))
    return msgspec.json.decode(answer, type=Flooded)


class Flooded(msgspec.Struct, rename="camel"):
    """What came of a flood. Of its half a million calls only the counts are read."""

    total: int
    """Nanoseconds."""
    status_code_distribution: dict[str, int]

    @property
    def goodput(self) -> float:
        """Calls a second that were answered OK."""
        return self.status_code_distribution.get("OK", 0) / (self.total / 1e9)


async def _answer(
    program: Path, task: dict[str, Any], prepared: int, give_up: str, *more: str, before: tuple[str, ...] = ()
) -> bytes:
    with tempfile.TemporaryDirectory(prefix="ledger-ghz-") as folder:
        data, out, protoset, metadata = (Path(folder) / name for name in ("requests", "answer", "protoset", "metadata"))
        # In a file: arguments can be read by everybody on the machine.
        metadata.write_text(json.dumps({"authorization": f"Bearer {task['token']}"}))
        protoset.write_bytes(descriptors())
        await asyncio.to_thread(write, data, Requests(Mix(**task["mix"]), task["seed"]), prepared)
        command = [
            *before, str(program), "--insecure", "--protoset", str(protoset), "--call", _CALL,
            "--binary-file", str(data), "--metadata-file", str(metadata),
            "--concurrency", str(task["concurrency"]), "--connections", str(task["connections"]),
            "--duration", f"{task['seconds']:.3f}s", "--timeout", give_up, "--format", "json", "--output", str(out),
            *(more or ("--duration-stop", "wait")),
        ]  # fmt: skip
        if "rate" in task:
            command += ["--rps", str(max(1, round(task["rate"]))), "--async"]
        process = await asyncio.create_subprocess_exec(
            *command, task["target"], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        if process.returncode != 0 or not out.exists():
            raise BenchError(f"ghz failed: {said.decode(errors='replace').strip()[-2000:]}")
        return await asyncio.to_thread(out.read_bytes)


def descriptors() -> bytes:
    """The service's description for ghz, whose own parser of .proto files does not know proto3's `optional`."""
    found: dict[str, Any] = {}

    def visit(file: Any) -> None:  # noqa: ANN401  # a FileDescriptor, of whichever implementation
        if file.name not in found:
            for dependency in file.dependencies:
                visit(dependency)
            found[file.name] = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)

    visit(transaction_service_pb2.DESCRIPTOR)
    visit(account_service_pb2.DESCRIPTOR)
    return descriptor_pb2.FileDescriptorSet(file=found.values()).SerializeToString()


def write(path: Path, requests: Requests, count: int) -> None:
    """So many single requests, each after its length: what ghz reads as messages to be sent in turn."""
    with path.open("wb") as file:
        for _ in range(count):
            request = requests.single()
            file.write(_varint(len(request)) + request)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _calls(answer: dict[str, Any], prepared: int) -> dict[str, Any]:
    details = answer["details"]
    failed = [one for one in details if one["status"] != "OK"]
    if failed:
        raise BenchError(f"{len(failed)} calls failed, the first with {failed[0]['status']}: {failed[0]['error']}")
    if len(details) > prepared:
        # Requests would be sent again, and answered as replays.
        raise BenchError(f"more than {prepared} calls were answered: raise _MOST_CALLS_PER_SECOND in {__file__}")
    if not details:
        raise BenchError("no call was answered while it was measured: measure for longer (SECONDS=)")
    ends = [datetime.fromisoformat(one["timestamp"]).timestamp() for one in details]
    latencies = [one["latency"] / 1e9 for one in details]
    began = min(end - latency for end, latency in zip(ends, latencies, strict=True))
    return {"began": began, "ended": max(ends), "ends": ends, "latencies": latencies}
