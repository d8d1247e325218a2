#!/usr/bin/env python3
"""Checks a proof of the ledger offline, with nothing but Python's standard library (3.9 or later).

    ledger_verifier.py PROOF --public-key HEX [--checkpoint FILE ...] [--quiet]

PROOF is the JSON of GET /v1/transactions/{id}/proof or GET /v1/entities/{id}/consistency-proof. FILE is the JSON of
GET /v1/entities/{id}/checkpoint or a file of `ledger-service checkpoint`. HEX is the public key that the ledger's
operators gave you by another way than this proof. Exit status 0: the proof holds, and what it proves is printed as
JSON; 1: it does not; 2: it can't be read.

What it trusts: SHA-256, Ed25519 and the public key. Not the service, not its database, not the network.
"""

import argparse
import base64
import hashlib
import json
import struct
import sys
from datetime import datetime, timedelta, timezone


class NotProved(Exception):
    """The proof does not hold; the message says where."""


class Unreadable(Exception):
    """A file is not what it should be."""


# Ed25519, RFC 8032, section 6: verification alone, so nothing here is secret and nothing need be constant in time.

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)


def _add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar, point):
    found = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            found = _add(found, point)
        point = _add(point, point)
        scalar >>= 1
    return found


def _point(data):
    """A point from its 32 bytes; None: there is none."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def is_signed(public_key, message, signature):
    """Whether this is the key's Ed25519 signature of the message."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, commitment = _point(public_key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= _ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    left, right = _multiply(scalar, _BASE), _add(commitment, _multiply(challenge, key))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (left[1] * right[2] - right[1] * left[2]) % _P == 0


# The history tree, RFC 9162, sections 2.1.3.2 and 2.1.4.2.


def _node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def includes(root, size, index, leaf, path):
    """Whether the leaf's hash stands at `index` in the tree of `size` with this root."""
    if not 0 <= index < size:
        return False
    here, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            found = _node(beside, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = _node(found, beside)
        here, last = here >> 1, last >> 1
    return last == 0 and found == root


def extends(older, older_root, newer, newer_root, path):
    """Whether the tree of size `newer` begins with the one of size `older`, which is 1 or more."""
    if not 1 <= older <= newer:
        return False
    if older == newer:
        return not path and older_root == newer_root
    hashes = ([older_root] if older & (older - 1) == 0 else []) + path
    if not hashes:
        return False
    here, last = older - 1, newer - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    first = second = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            first, second = _node(each, first), _node(each, second)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            second = _node(second, each)
        here, last = here >> 1, last >> 1
    return last == 0 and first == older_root and second == newer_root


# Records, version 1: docs/tamper-evidence.md.

_FIXED = struct.Struct(">BiqhiqBqBiBhBqBqBqBqBqII")
_ENTRY = struct.Struct(">hhhqq12sqqqqqqqh")
_KINDS = dict(enumerate((
    "TRANSACTION_CREATED", "TRANSACTION_EDITED", "TRANSACTION_CLEARED", "TRANSACTION_POSTED", "TRANSACTION_VOIDED",
    "TRANSACTION_EXPIRED", "TRANSACTION_REVERSED", "WRITE_REFUSED", "ACCOUNT_CREATED", "ACCOUNT_CHANGED",
    "ENTITY_CREATED", "ENTITY_CHANGED", "TRANSACTION_CATEGORIZED", "CATEGORY_CREATED", "CATEGORY_CHANGED",
    "RECONCILIATION_CHANGED",
), 1))  # fmt: skip
_STATUSES = {1: "PENDING", 2: "CLEARED", 3: "POSTED", 4: "VOIDED", 5: "EXPIRED"}
_ENTRY_KINDS = {1: "POST", 2: "HOLD", 3: "RELEASE", 4: "SETTLE"}
_SIDES = {1: "DEBIT", 2: "CREDIT"}
_NUMBERS = (
    "transaction_no", "revision", "status", "postings_at", "effective_time", "expire_time", "reverses", "account_no",
)  # fmt: skip
_TEXTS = (
    "actor", "idempotency_key", "request_hash", "description", "reference", "counterparty", "category_id", "metadata",
    "detail",
)  # fmt: skip
_AMOUNTS = ("amount", "debits_posted", "credits_posted", "debits_pending", "credits_pending")
_MEMBERS = ("kind", "leg", "side", "account_no", "number", "currency", *_AMOUNTS, "effective_time", "latest_effective")


def _time(microseconds):
    if microseconds is None:
        return None
    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=microseconds)
    except OverflowError:
        return "%d microseconds since 1970" % microseconds
    return moment.isoformat().replace("+00:00", "Z")


def read_record(record):
    """What was committed, from its canonical bytes. Amounts are whole minor units, as text."""
    try:
        return _read_record(record)
    except (struct.error, ValueError, IndexError) as error:
        raise NotProved("the record can't be read: %s" % error) from error


def _read_record(record):
    version, entity_no, sequence, kind, span, recorded, *rest = _FIXED.unpack_from(record)
    if version != 1:
        raise NotProved("the record is of version %d; this verifier reads version 1" % version)
    event = {"entity_no": entity_no, "sequence": sequence, "kind": _KINDS.get(kind, kind), "span": span}
    event["recorded_time"] = _time(recorded)
    for name, present, value in zip(_NUMBERS, rest[0:-2:2], rest[1:-2:2]):
        if present > 1 or (value and not present):
            raise NotProved("the record's %s is neither there nor not" % name)
        event[name] = value if present else None
    text_bytes, count = rest[-2:]
    position = _FIXED.size + text_bytes
    texts = record[_FIXED.size : position].decode().split("\0")
    if len(texts) != len(_TEXTS) or any(text != "-" and text[:1] != "+" for text in texts):
        raise NotProved("the record's texts are not in their form")
    event.update((name, None if text == "-" else text[1:]) for name, text in zip(_TEXTS, texts))
    event["status"] = _STATUSES.get(event["status"], event["status"])
    for name in ("effective_time", "expire_time"):
        event[name] = _time(event[name])
    event["entries"] = []
    for _ in range(count):
        entry, position = _read_entry(record, position)
        event["entries"].append(entry)
    if position != len(record):
        raise NotProved("something comes after the record's last entry")
    return event


def _read_entry(record, position):
    *values, count = _ENTRY.unpack_from(record, position)
    entry = dict(zip(_MEMBERS, values))
    position += _ENTRY.size
    if count >= 0:
        (length,) = struct.unpack_from(">H", record, position)
        numbers = record[position + 2 : position + 2 + length].decode().split("\0")
        if any(entry[name] for name in _AMOUNTS) or count != len(numbers) or count != len(_AMOUNTS):
            raise NotProved("an entry of the record has its amounts twice, or not all of them")
        entry.update(zip(_AMOUNTS, map(int, numbers)))
        position += 2 + length
    entry["currency"] = entry["currency"].rstrip(b"\0").decode()
    entry["kind"] = _ENTRY_KINDS.get(entry["kind"], entry["kind"])
    entry["side"] = _SIDES.get(entry["side"], entry["side"])
    entry.update((name, str(entry[name])) for name in _AMOUNTS)
    entry.update((name, _time(entry[name])) for name in ("effective_time", "latest_effective"))
    return entry, position


# What is in the files.


def _hash(text):
    found = bytes.fromhex(text)
    if len(found) != 32:
        raise Unreadable("a hash has %d bytes, not 32" % len(found))
    return found


def trusted_root(checkpoints, public_key, entity_id, sequence):
    """The root that a signed checkpoint gives for a tree."""
    fits = [each for each in checkpoints if (each["entityId"], each["sequence"]) == (entity_id, sequence)]
    if not fits:
        raise NotProved("there is no checkpoint of entity %s at sequence %s" % (entity_id, sequence))
    for each in fits:
        text = "ledger-service checkpoint v1\n%s\n%d\n%s\n%s\n" % (
            each["entityId"], each["sequence"], _hash(each["root"]).hex(), each["recordedTime"],
        )  # fmt: skip
        if not is_signed(public_key, text.encode(), bytes.fromhex(each["signature"])):
            raise NotProved(
                "the checkpoint of entity %s at sequence %s is not signed by this key" % (entity_id, sequence)
            )
    if len({each["root"] for each in fits}) > 1:
        raise NotProved(
            "two histories of entity %s up to sequence %s are signed: the ledger told one to you and another to others"
            % (entity_id, sequence)
        )
    return _hash(fits[0]["root"])


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _place_of(transaction_id):
    """Entity number and transaction number in an id."""
    number = 0
    for character in transaction_id[4:]:
        number = number << 5 | _ALPHABET.index(character)
    return number >> 96, number >> 48 & (2**48 - 1)


def check_transaction(proof, checkpoints, public_key):
    """What a proof of inclusion proves. Raises NotProved."""
    root = trusted_root(checkpoints, public_key, proof["entityId"], proof["treeSequence"])
    record = base64.b64decode(proof["record"], validate=True)
    leaf = hashlib.sha256(b"\0" + record).digest()
    path = [_hash(each) for each in proof["path"]]
    if not includes(root, proof["treeSequence"], proof["sequence"] - 1, leaf, path):
        raise NotProved("the record does not stand at sequence %d of the signed history" % proof["sequence"])
    event = read_record(record)
    if event["sequence"] != proof["sequence"] or event["revision"] != proof["revision"]:
        raise NotProved("the record is of another event than the proof says")
    if _place_of(proof["transactionId"]) != (event["entity_no"], event["transaction_no"]):
        raise NotProved("the record is of another transaction than the proof says")
    return {"entityId": proof["entityId"], "transactionId": proof["transactionId"], "event": event}


def check_consistency(proof, checkpoints, public_key):
    """What a proof of consistency proves. Raises NotProved."""
    sizes = proof["fromSequence"], proof["toSequence"]
    roots = [trusted_root(checkpoints, public_key, proof["entityId"], size) for size in sizes]
    if not extends(sizes[0], roots[0], sizes[1], roots[1], [_hash(each) for each in proof["path"]]):
        raise NotProved("the history up to %d is not the beginning of the one up to %d" % sizes)
    return {"entityId": proof["entityId"], "fromSequence": sizes[0], "toSequence": sizes[1]}


def _read(path):
    with open(path, "rb") as file:
        return json.loads(file.read())


def main(arguments=None):
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check a proof of the ledger offline.")
    parser.add_argument("proof", help="JSON of a proof")
    parser.add_argument("--public-key", required=True, help="64 hexadecimal digits, known by another way")
    parser.add_argument("--checkpoint", action="append", default=[], help="JSON of checkpoints that you kept")
    parser.add_argument("--quiet", action="store_true", help="only the exit status and what is wrong")
    options = parser.parse_args(arguments)
    try:
        public_key = bytes.fromhex(options.public_key)
        answer = _read(options.proof)
        checkpoints = [answer["checkpoint"]] if "checkpoint" in answer else []
        for name in options.checkpoint:
            found = _read(name)
            checkpoints += [found["checkpoint"]] if "checkpoint" in found else found["checkpoints"]
        check = check_consistency if "fromSequence" in answer["proof"] else check_transaction
        proved = check(answer["proof"], checkpoints, public_key)
    except NotProved as error:
        print("NOT PROVED: %s" % error, file=sys.stderr)
        return 1
    except (OSError, Unreadable, ValueError, KeyError, TypeError) as error:
        print("can't be read: %s: %s" % (type(error).__name__, error), file=sys.stderr)
        return 2
    if not options.quiet:
        json.dump(proved, sys.stdout, indent=1)
        print()
    print("PROVED", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
