"""What protos/ledger/v1/errors.proto promises of each reason, read from its comments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import grpc

_PROTO = Path(__file__).parents[2] / "protos" / "ledger" / "v1" / "errors.proto"
_COMMENT_AND_VALUE = re.compile(r"((?:^ *//[^\n]*\n)+) *ERROR_REASON_(\w+) = \d+;", re.MULTILINE)
_CODE = re.compile(r"\[([A-Z_]+)\]")
_METADATA = re.compile(r"Metadata: ([^.]+)\.")
_IN_BRACKETS = re.compile(r"\([^)]*\)")


class Promise(NamedTuple):
    """The gRPC code of a reason, which metadata it carries, and of which it carries one, if any."""

    code: grpc.StatusCode
    metadata: frozenset[str]
    one_of: frozenset[str] = frozenset()


def _read() -> dict[str, Promise]:
    promises = {}
    for comment, reason in _COMMENT_AND_VALUE.findall(_PROTO.read_text(encoding="utf-8")):
        text = " ".join(line.strip().removeprefix("//").strip() for line in comment.splitlines())
        code = _CODE.search(text)
        if code is None:
            continue
        metadata = _METADATA.search(text)
        names = [name.strip() for name in _IN_BRACKETS.sub("", metadata.group(1)).split(",")] if metadata else []
        promises[reason] = Promise(
            grpc.StatusCode[code.group(1)],
            frozenset(name for name in names if " or " not in name),
            frozenset(one for name in names if " or " in name for one in name.split(" or ")),
        )
    return promises


PROMISES = _read()
