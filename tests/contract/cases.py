"""What is wrong with each field: the values to try, and the answer that each must get.

A case is found by the path of the field from its method ("BatchCreateTransactions.requests.entity_id"), by
message and field ("Money.amount"), or by the field's name alone ("page_size"), in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import struct_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.v1 import account_pb2, account_service_pb2
from ledger.v1 import reconciliation_pb2 as matching
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import CREDIT, DEBIT, money, posting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.requests import World


@dataclass(frozen=True)
class Case:
    """One way to spoil a field, and the reason that is expected.

    `at` is the path that the error names, relative to the message that has the field: "" for that message
    itself, None for the field.
    """

    label: str
    spoil: Callable[[Message, str, World], None]
    reason: str = "INVALID_ARGUMENT"
    at: str | None = None


ANYTHING: list[Case] = []
"""For fields of which no value is wrong."""


def put(label: str, value: Any, reason: str = "INVALID_ARGUMENT", at: str | None = None) -> Case:
    """Set the field; a value that is callable is asked with the world."""

    def spoil(message: Message, field: str, world: World) -> None:
        wanted = value(world) if callable(value) else value
        message.ClearField(field)
        if isinstance(wanted, Message):
            getattr(message, field).CopyFrom(wanted)
        elif isinstance(wanted, list):
            getattr(message, field).extend(wanted)
        else:
            setattr(message, field, wanted)

    return Case(label, spoil, reason, at)


def leave_out(at: str | None = None) -> Case:
    """Leave out what is required."""
    return Case("missing", lambda message, field, _: message.ClearField(field), at=at)


def texts(longest: int, *, required: bool = False, prose: bool = False) -> list[Case]:
    """What is wrong with a text of at most that many characters."""
    cases = [
        put("too_long", "x" * (longest + 1)),
        put("too_long_by_far", "x" * 1_000_000),
        put("nul", "a\0b"),
        put("control_character", "a\x07b"),
        put("escape_sequence", "a\x1b[31mb"),
        put("right_to_left_override", "a\u202eb"),
    ]
    if not prose:
        cases.append(put("two_lines", "a\nb"))
    return [*cases, leave_out()] if required else cases


def chosen_id() -> list[Case]:
    """What is wrong with an id that the caller chooses."""
    values = {
        "too_short": "ab",
        "too_long": "x" * 65,
        "blank": "a b c",
        "slash": "a/b/c",
        "nul": "abc\0",
        "line_feed": "abc\n",
        "not_ascii": "účet-1",
        "full_width": "ａｂｃ",  # noqa: RUF001
        "leading_dot": ".hidden",
    }
    return [put(label, value) for label, value in values.items()]


def account_ids(*, required: bool = True) -> list[Case]:
    """What is wrong with the id of an account that should exist; another entity's is as unknown as any."""
    cases = [
        put("too_long", "x" * 65),
        put("nul", "cash\0"),
        put("control_character", "ca\x07sh"),
        put("line_feed", "cash\n"),
        put("unknown", "nobody", "ACCOUNT_NOT_FOUND"),
        put("upper_case", "CASH", "ACCOUNT_NOT_FOUND"),
        put("of_another_entity", lambda w: w.other_account, "ACCOUNT_NOT_FOUND"),
    ]
    return [*cases, leave_out()] if required else cases


def category_ids(*, required: bool = True, archived: bool = False) -> list[Case]:
    """What is wrong with the id of a category that should exist; `archived`: and that should take transactions."""
    cases = [
        put("too_long", "x" * 65),
        put("nul", "rent\0"),
        put("control_character", "re\x07nt"),
        put("line_feed", "rent\n"),
        put("unknown", "nothing", "CATEGORY_NOT_FOUND"),
        put("upper_case", "RENT", "CATEGORY_NOT_FOUND"),
        put("of_another_entity", lambda w: w.other_category, "CATEGORY_NOT_FOUND"),
    ]
    if archived:
        cases.append(put("archived", lambda w: w.archived_category, "CATEGORY_ARCHIVED"))
    return [*cases, leave_out()] if required else cases


TRANSACTION_IDS = [
    leave_out(),
    put("too_long", "txn_" + "0" * 61),
    put("nul", "txn_\0"),
    put("malformed", "txn_!", "TRANSACTION_NOT_FOUND"),
    put("unknown", "txn_" + "0" * 26, "TRANSACTION_NOT_FOUND"),
    put("letters_beyond_the_alphabet", "txn_" + "u" * 26, "TRANSACTION_NOT_FOUND"),
    put("without_prefix", lambda w: w.posted.removeprefix("txn_"), "TRANSACTION_NOT_FOUND"),
    put("upper_case", lambda w: w.posted.upper(), "TRANSACTION_NOT_FOUND"),
    put("last_character_changed", lambda w: _last_changed(w.posted), "TRANSACTION_NOT_FOUND"),
    put("of_another_entity", lambda w: w.other_transaction, "TRANSACTION_NOT_FOUND"),
    put("id_of_an_account", "cash", "TRANSACTION_NOT_FOUND"),
]

ENTITY_IDS = [
    leave_out(),
    put("too_long", "x" * 65),
    put("nul", "mine\0"),
    put("line_feed", "mine\n"),
    put("unknown", "nobody", "ENTITY_NOT_FOUND"),
    put("upper_case", "MINE", "ENTITY_NOT_FOUND"),
]

BOUNDS = [
    put(label, value)
    for label, value in {
        "negative": "-1",
        "plus_sign": "+1",
        "exponent": "1e3",
        "underscore": "1_000",
        "thousands": "1,000.00",
        "full_width_digits": "１２",  # noqa: RUF001
        "arabic_digits": "١٢",
        "nan": "NaN",
        "infinity": "Infinity",
        "leading_blank": " 1",
        "line_feed": "1\n",
        "nul": "1\0",
        "point_at_the_end": "1.",
        "point_at_the_start": ".5",
        "two_points": "1.0.0",
        "39_digits": "1" * 39,
        "19_decimals": "0." + "1" * 19,
        "a_megabyte": "9" * 1_000_000,
    }.items()
]

AMOUNTS = [
    put(label, value)
    for label, value in {
        "missing": "",
        "zero": "0",
        "zero_with_decimals": "0.00",
        "negative": "-1",
        "minus_zero": "-0",
        "plus_sign": "+1",
        "exponent": "1e3",
        "underscore": "1_000",
        "thousands": "1,000.00",
        "decimal_comma": "1,00",
        "full_width_digits": "１２",  # noqa: RUF001
        "arabic_digits": "١٢",
        "nan": "NaN",
        "infinity": "Infinity",
        "hexadecimal": "0x10",
        "leading_blank": " 1",
        "trailing_blank": "1 ",
        "line_feed": "1\n",
        "nul": "1\0",
        "point_at_the_end": "1.",
        "point_at_the_start": ".5",
        "two_points": "1.0.0",
        "three_decimals": "1.001",
        "three_decimals_of_which_one_is_zero": "1.000",
        "39_digits_in_minor_units": "1" * 37,
        "a_megabyte": "9" * 1_000_000,
        "a_megabyte_of_zeros": "0" * 1_000_000 + "1",
        "currency_inside": "1 USD",
        "words": "ten",
    }.items()
]

SIGNED_AMOUNTS = [
    put(label, value)
    for label, value in {
        "empty": "",
        "only_a_sign": "-",
        "two_signs": "--1",
        "plus_sign": "+1",
        "exponent": "1e3",
        "underscore": "1_000",
        "full_width_digits": "１２",  # noqa: RUF001
        "nan": "NaN",
        "leading_blank": " 1",
        "sign_and_blank": "- 1",
        "point_at_the_end": "1.",
        "point_at_the_start": "-.5",
        "three_decimals": "1.001",
        "39_digits_in_minor_units": "-" + "1" * 37,
    }.items()
]

CURRENCIES = [
    *(
        put(label, value)
        for label, value in {
            "lower_case": "usd",
            "too_short": "US",
            "too_long": "USDOLLARSUSDO",
            "sign": "$",
            "digit_first": "1USD",
            "blank": "US D",
            "nul": "USD\0",
            "line_feed": "USD\n",
            "not_ascii": "ÚSD",
        }.items()
    ),
    put("unknown", "ZZZ", "UNKNOWN_CURRENCY"),
    put("historic_word", "DOLLAR", "UNKNOWN_CURRENCY"),
]

TIMES = [
    put("before_the_year_1", Timestamp(seconds=-62_135_596_801)),
    put("after_the_year_9999", Timestamp(seconds=253_402_300_800)),
    put("far_beyond", Timestamp(seconds=2**63 - 1)),
    put("negative_nanos", Timestamp(seconds=1, nanos=-1)),
    put("a_second_of_nanos", Timestamp(seconds=1, nanos=1_000_000_000)),
    put("finer_than_the_ledger_keeps", Timestamp(seconds=1, nanos=500)),
]

PAGE_SIZES = [put("negative", -1), put("over_1000", 1001), put("int32_max", 2**31 - 1), put("int32_min", -(2**31))]

PAGE_TOKENS = [
    put(label, value, "INVALID_PAGE_TOKEN")
    for label, value in {
        "made_up": "xyz",
        "base64": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "not_ascii": "žeton",
        "nul": "a\0",
        "a_megabyte": "A" * 1_000_000,
        "of_another_query": lambda w: w.page_token,
        "changed": lambda w: w.page_token[:8] + ("A" if w.page_token[8] != "A" else "B") + w.page_token[9:],
    }.items()
]

REVISIONS = [put("negative", -1), put("other", 77, "REVISION_MISMATCH")]

MASKS = [
    leave_out(),
    *(
        Case(label, lambda message, field, _, paths=paths: _set_mask(message, field, paths))  # type: ignore[misc]
        for label, paths in {
            "empty_path": [""],
            "unknown": ["nonsense"],
            "star": ["*"],
            "never_changes": ["name", "entity_id"],
            "below_a_field": ["metadata.order"],
            "nul": ["name\0"],
        }.items()
    ),
]


def _struct(**members: Any) -> struct_pb2.Struct:
    result = struct_pb2.Struct()
    result.update(members)
    return result


def _nested(depth: int) -> struct_pb2.Struct:
    value: Any = "deep"
    for _ in range(depth):
        value = {"a": value}
    return _struct(a=value)


METADATA = [
    put("over_16_kib", _struct(text="x" * (16 * 1024))),
    put("nul_in_text", _struct(text="a\0b")),
    put("nul_in_a_name", _struct(**{"a\0b": 1})),
    put("nul_in_a_list", _struct(items=["a", {"b": "\0"}])),
    put("nan", _struct(number=float("nan"))),
    put("infinity", _struct(list=[float("inf")])),
    put("nested_too_deep", _nested(30)),
]


def _set_mask(message: Message, field: str, paths: list[str]) -> None:
    message.ClearField(field)
    getattr(message, field).paths.extend(paths)


def _last_changed(transaction_id: str) -> str:
    return transaction_id[:-1] + ("0" if transaction_id[-1] != "0" else "1")


def _enum(*values: int) -> list[Case]:
    return [put(f"value_{value}".replace("-", "minus_"), value) for value in values]


DAYS = [
    put(label, value)
    for label, value in {
        "no_day_of_the_calendar": "2026-02-30",
        "without_dashes": "20260630",
        "short": "2026-6-1",
        "with_a_time": "2026-06-30T00:00:00Z",
        "word": "today",
        "full_width_digits": "２０２６-06-30",  # noqa: RUF001
        "week": "2026-W20-1",
        "year_0": "0000-01-01",
        "nul": "2026-06-30\0",
        "line_feed": "2026-06-30\n",
        "a_megabyte": "2" * 1_000_000,
    }.items()
]

# Where the currency is known only later, its decimals don't count yet.
BALANCES = [
    case for case in SIGNED_AMOUNTS if case.label not in ("empty", "three_decimals", "39_digits_in_minor_units")
]

RECONCILED_CURRENCIES = [*CURRENCIES, put("of_no_reconciliation", "EUR", "RECONCILIATION_NOT_FOUND")]


def reconciled_accounts() -> list[Case]:
    """What is wrong with the id of an account that should be reconciled."""
    return [*account_ids(), put("not_reconciled", "cash", "RECONCILIATION_NOT_FOUND")]


def match_numbers(*, settled: int) -> list[Case]:
    """What is wrong with numbers of matches; `settled` is one that exists, and is not in the right state."""
    return [
        put("zero", [2, 0], at="match_numbers[1]"),
        put("negative", [-1], at="match_numbers[0]"),
        put("twice", [2, 2]),
        put("10001", list(range(1, 10_002))),
        put("unknown", [2, 99], "MATCH_NOT_FOUND"),
        put("int64_max", [2**63 - 1], "MATCH_NOT_FOUND"),
        put("in_another_state", [settled], "INVALID_MATCH_STATE"),
    ]


def transaction_lists(field: str, most: int) -> list[Case]:
    """What is wrong with a list of transactions."""
    return [
        put(f"{most + 1}", [f"txn_{number}" for number in range(most + 1)]),
        put("empty_item", ["txn_1", ""], at=f"{field}[1]"),
        put("nul", ["txn_\0"], at=f"{field}[0]"),
        put("too_long", ["txn_" + "0" * 61], at=f"{field}[0]"),
        put("twice", lambda w: [w.open_transaction] * 2),
        put("malformed", ["txn_!", "txn_?"], "TRANSACTION_NOT_FOUND"),
        put("unknown", ["txn_" + "0" * 26, "txn_" + "1" * 26], "TRANSACTION_NOT_FOUND"),
        put("of_another_entity", lambda w: [w.open_transaction, w.other_transaction], "TRANSACTION_NOT_FOUND"),
        put("id_of_an_account", ["cash", "wallet"], "TRANSACTION_NOT_FOUND"),
    ]


def mappings(at: str) -> list[Case]:
    """What is wrong with how a CSV file is to be read."""

    def put_pairs(label: str, pairs: dict[str, str], path: str) -> Case:
        def spoil(message: Message, field: str, _: World) -> None:
            message.ClearField(field)
            getattr(message, field).update(pairs)

        return Case(label, spoil, at=path)

    return [
        put_pairs("unknown_name", {"colour": "red"}, at),
        put_pairs("unknown_value", {"delimiter": "ampersand"}, at),
        put_pairs("empty_value", {"date": ""}, at),
        put_pairs("control_character", {"date": "Da\x07te"}, f"{at}.date"),
        put_pairs("too_long_value", {"date": "x" * 1_000_000}, f"{at}.date"),
        put_pairs("too_long_name", {"x" * 1_000_000: "Date"}, at),
    ]


_RULE = matching.MatchRule(kind=matching.MATCH_RULE_KIND_REFERENCE)
_CHARGE = matching.ChargeTemplate(name="fees", pattern="fee", account_id="other", description="Fee")

_TOO_MANY_LEGS = [posting("cash", DEBIT, "1.00"), posting("wallet", CREDIT, "1.00")] * 501
_ITEM = transactions.CreateTransactionRequest(
    idempotency_key="never used", debit_account_id="cash", credit_account_id="wallet", amount=money("1.00")
)
_BIG_ITEM = transactions.CreateTransactionRequest(idempotency_key="never used", postings=_TOO_MANY_LEGS[:1000])
_ACCOUNT = account_service_pb2.CreateAccountRequest(type=account_pb2.ACCOUNT_TYPE_ASSET, name="Never made")
_UNBALANCED = [posting("cash", DEBIT, "10.00"), posting("wallet", CREDIT, "9.99")]
_IN_TWO_CURRENCIES = [posting("cash", DEBIT, "10.00"), posting("wallet", CREDIT, "10.00", "EUR")]

_ON_A_RECONCILIATION = (
    "ListStatements", "ListStatementLines", "ListLedgerItems", "RunMatching", "ListMatches", "ListFindings",
    "CreateMatch", "ConfirmMatches", "RejectMatches", "UndoMatches", "GetReconciliation", "ExportReconciliation",
    "CloseReconciliation", "ReopenReconciliation",
)  # fmt: skip

CASES: dict[str, list[Case]] = {
    # By name alone.
    "entity_id": ENTITY_IDS,
    "account_id": account_ids(),
    "transaction_id": TRANSACTION_IDS,
    "idempotency_key": texts(255),
    "page_size": PAGE_SIZES,
    "page_token": PAGE_TOKENS,
    "expected_revision": REVISIONS,
    "at_sequence": [put("negative", -1), put("to_come", 2**62), put("int64_min", -(2**63))],
    "GetTransactionProof.at_sequence": [
        put("negative", -1),
        put("to_come", 2**62),
        put("before_the_revision", 1),
    ],
    "GetTransactionProof.revision": [put("negative", -1), put("to_come", 99), put("int32_max", 2**31 - 1)],
    "from_sequence": [put("zero", 0), put("negative", -1), put("after_the_other", 10), put("to_come", 2**62)],
    "to_sequence": [put("negative", -1), put("to_come", 2**62)],
    "metadata": METADATA,
    "update_mask": MASKS,
    "name": texts(200, required=True),
    "code": texts(40),
    "description": texts(1_000, prose=True),
    "reference": texts(200),
    "effective_time": TIMES,
    "financial_type": texts(40),
    "sub_type_code": texts(40),
    "is_category": ANYTHING,
    "bank_account": ANYTHING,
    "category_id": category_ids(),
    "include_subtree": ANYTHING,
    "ascending": ANYTHING,
    "time_zone": [
        *texts(64),
        put("unknown", "Europe/Atlantis"),
        put("abbreviation_of_none", "XYZT"),
        put("path", "../../etc/passwd"),
        put("lower_case", "europe/prague"),
    ],
    "parent_id": account_ids(required=False),
    "currencies": [
        put("malformed", ["USD", "usd"], at="currencies[1]"),
        put("unknown", ["USD", "ZZZ"], "UNKNOWN_CURRENCY", at="currencies[1]"),
        put("twice", ["USD", "USD"], at="currencies[1]"),
        put("65", [f"A{number:02}" for number in range(65)]),
    ],
    "limits": [
        put("65", [account_pb2.BalanceLimit(currency="USD", floor="0")] * 65),
        put("currency_twice", [account_pb2.BalanceLimit(currency="USD", floor="0")] * 2, at="limits[1].currency"),
        put("neither_floor_nor_ceiling", [account_pb2.BalanceLimit(currency="USD")], at="limits[0]"),
        put(
            "floor_above_ceiling",
            [account_pb2.BalanceLimit(currency="USD", floor="1", ceiling="0")],
            at="limits[0].ceiling",
        ),
        put(
            "currency_that_the_account_does_not_take",
            [account_pb2.BalanceLimit(currency="JPY", floor="0")],
            at="limits[0].currency",
        ),
    ],
    # By message and field.
    "CreateEntityRequest.entity_id": [
        *chosen_id(),
        put("taken_by_a_different_one", lambda w: w.other_entity, "ENTITY_ALREADY_EXISTS"),
    ],
    "CreateAccountRequest.account_id": [
        *chosen_id(),
        put("taken_by_a_different_one", "cash", "ACCOUNT_ALREADY_EXISTS"),
    ],
    "CreateAccountRequest.type": _enum(0, 6, 99, -1),
    "CreateAccountRequest.contra": ANYTHING,
    "UpdateAccountRequest.parent_id": [
        *account_ids(required=False),
        put("itself", "child", "INVALID_PARENT"),
    ],
    "UpdateAccountRequest.currencies": [
        put("malformed", ["USD", "usd"], at="currencies[1]"),
        put("unknown", ["USD", "ZZZ"], "UNKNOWN_CURRENCY", at="currencies[1]"),
        put("twice", ["USD", "USD"], at="currencies[1]"),
    ],
    "BalanceLimit.currency": [leave_out(), *CURRENCIES],
    "BalanceLimit.floor": SIGNED_AMOUNTS,
    "BalanceLimit.ceiling": SIGNED_AMOUNTS,
    "BankAccount.id": texts(64, required=True),
    "BankAccount.name": texts(200, required=True),
    "BankAccount.type": texts(40),
    "BankAccount.subtype": texts(40),
    "BankAccount.mask": [
        *texts(4),
        put("one_character", "1"),
        put("whole_number", "123456789"),
        put("sign", "**42"),
        put("not_ascii", "١٢"),
    ],
    "BankAccount.institution_id": texts(64),
    "BankAccount.institution_name": texts(200),
    "BatchCreateAccountsRequest.requests": [put("none", []), put("1001", [_ACCOUNT] * 1001)],
    "ListAccountsRequest.type": _enum(6, 99, -1),
    "ListAccountsRequest.state": _enum(4, 99, -1),
    "ListAccountsRequest.code_prefix": texts(40),
    "ListAccountsRequest.tree": ANYTHING,
    "GetBalanceRequest.currency": CURRENCIES,
    "BatchGetBalancesRequest.currency": CURRENCIES,
    "ListEntriesRequest.currency": CURRENCIES,
    "BatchGetBalancesRequest.account_ids": [
        put("none", []),
        put("1001", ["cash"] * 1001),
        put("empty_item", ["cash", ""], at="account_ids[1]"),
        put("nul", ["cash", "\0"], at="account_ids[1]"),
        put("too_long_item", ["cash", "x" * 65], at="account_ids[1]"),
        put("unknown", ["cash", "nobody"], "ACCOUNT_NOT_FOUND", at="account_ids[1]"),
        put("of_another_entity", lambda w: [w.other_account, "cash"], "ACCOUNT_NOT_FOUND", at="account_ids[0]"),
    ],
    "GetBalanceRequest.moment": ANYTHING,
    "BatchGetBalancesRequest.moment": ANYTHING,
    "BalanceMoment.known_time": TIMES,
    "BalanceMoment.known_sequence": [put("zero", 0), put("negative", -1), put("to_come", 2**62)],
    "Money.currency": [leave_out(), *CURRENCIES],
    "Money.amount": AMOUNTS,
    "Posting.account_id": account_ids(),
    "Posting.side": _enum(0, 3, 99, -1),
    "Posting.amount": [leave_out(at="amount")],
    "CreateTransactionRequest.idempotency_key": texts(255, required=True),
    "CreateTransactionRequest.postings": [
        put("none", []),
        put("one", _UNBALANCED[:1]),
        put("1002", _TOO_MANY_LEGS),
        put("unbalanced", _UNBALANCED, "UNBALANCED_TRANSACTION"),
        put("unbalanced_in_each_currency", _IN_TWO_CURRENCIES, "UNBALANCED_TRANSACTION"),
        Case(
            "together_with_the_other_form",
            lambda message, _, __: message.MergeFrom(transactions.CreateTransactionRequest(debit_account_id="cash")),
        ),
    ],
    "CreateTransactionRequest.debit_account_id": account_ids(),
    "CreateTransactionRequest.credit_account_id": [*account_ids(), put("the_debit_account", "cash")],
    "CreateTransactionRequest.amount": [leave_out()],
    "CreateTransactionRequest.status": _enum(4, 5, 6, 99, -1),
    "CreateTransactionRequest.counterparty": texts(200),
    "CreateTransactionRequest.category_id": category_ids(required=False, archived=True),
    "CreateTransactionRequest.expire_time": [
        *TIMES,
        put("in_the_past", Timestamp(seconds=1_000_000_000), "EXPIRE_TIME_PASSED"),
        Case("of_a_posted_one", lambda message, _, __: setattr(message, "status", 3)),
    ],
    "CreateTransactionRequest.validate_only": ANYTHING,
    "BatchCreateTransactionsRequest.requests": [
        put("none", []),
        put("10001", [_ITEM] * 10_001),
        put("over_40000_postings", [_BIG_ITEM] * 41),
    ],
    "BatchCreateTransactionsRequest.atomic": ANYTHING,
    "StreamCreateTransactionsRequest.request": [leave_out(at="request.entity_id")],
    "LookUpTransactionRequest.idempotency_key": texts(255, required=True),
    "LookUpTransactionRequest.reference": [*texts(200), put("empty", ""), leave_out(at="idempotency_key")],
    "ListTransactionsRequest.account_id": account_ids(required=False),
    "ListTransactionsRequest.statuses": [
        put("unspecified", [0], at="statuses[0]"),
        put("unknown", [1, 6], at="statuses[1]"),
        put("negative", [-1], at="statuses[0]"),
    ],
    "ListTransactionsRequest.effective_from": TIMES,
    "ListTransactionsRequest.effective_before": [
        *TIMES,
        put("before_effective_from", Timestamp(seconds=1)),
    ],
    "ListTransactionsRequest.order": [
        *_enum(3, 99, -1),
        Case("with_an_account", lambda message, _, __: setattr(message, "account_id", "cash")),
    ],
    "SearchTransactionsRequest.query": [
        *texts(1_000, prose=True),
        put("one_quotation_mark", 'rent "of May'),
        put("no_word", "*** !"),
        put("only_a_star", "*"),
        put("33_words", "rent " * 33),
    ],
    "SearchTransactionsRequest.effective_from": TIMES,
    "SearchTransactionsRequest.effective_before": [
        *TIMES,
        put("before_effective_from", Timestamp(seconds=1)),
        Case("at_effective_from", lambda message, field, _: getattr(message, field).CopyFrom(message.effective_from)),
    ],
    "SearchTransactionsRequest.amount_min": [*BOUNDS, put("above_amount_max", "1000000.01", at="amount_max")],
    "SearchTransactionsRequest.amount_max": [*BOUNDS, put("below_amount_min", "0.99")],
    "SearchTransactionsRequest.status": _enum(6, 99, -1),
    "SearchTransactionsRequest.page": [
        put("negative", -1),
        put("beyond_the_first_10000", 1001),
        put("int32_max", 2**31 - 1),
    ],
    "ListCounterpartiesRequest.page_size": [*PAGE_SIZES, put("over_100", 101)],
    "EditTransactionRequest.idempotency_key": texts(255, required=True),
    "EditTransactionRequest.debit_account_id": [
        *account_ids(required=False),
        put("the_credit_account", "wallet", at="credit_account_id"),
    ],
    "EditTransactionRequest.credit_account_id": account_ids(required=False),
    "EditTransactionRequest.account_ids": [
        put("too_few", ["cash"]),
        put("too_many", ["cash", "wallet", "other"]),
        put("1001", ["cash"] * 1001),
        put("empty_item", ["cash", ""], at="account_ids[1]"),
        put("nul", ["cash", "\0"], at="account_ids[1]"),
        put("unknown", ["cash", "nobody"], "ACCOUNT_NOT_FOUND", at="account_ids[1]"),
        put("of_another_entity", lambda w: ["cash", w.other_account], "ACCOUNT_NOT_FOUND", at="account_ids[1]"),
        Case(
            "together_with_the_other_form",
            lambda message, _, __: message.MergeFrom(transactions.EditTransactionRequest(debit_account_id="cash")),
        ),
    ],
    "EditTransactionRequest.description": [
        *texts(1_000, prose=True),
        Case("nothing_to_change", lambda message, _, __: _clear(message, "description", "account_ids")),
    ],
    "ApproveTransactionsRequest.idempotency_key": texts(255, required=True),
    "ApproveTransactionsRequest.approvals": [
        put("none", []),
        put("1001", [transactions.Approval(transaction_id=f"txn_{number}") for number in range(1001)]),
        put(
            "one_twice",
            lambda w: [transactions.Approval(transaction_id=w.to_approve[0])] * 2,
            at="approvals[1].transaction_id",
        ),
        put(
            "amount_above_the_transactions",
            lambda w: [transactions.Approval(transaction_id=w.to_approve[0], amount=money("100.01"))],
            at="approvals[0].amount",
        ),
        put(
            "amount_in_another_currency",
            lambda w: [transactions.Approval(transaction_id=w.to_approve[0], amount=money("1.00", "EUR"))],
            at="approvals[0].amount.currency",
        ),
    ],
    "Approval.amount": ANYTHING,
    "ClearTransactionRequest.idempotency_key": texts(255, required=True),
    "VoidTransactionRequest.idempotency_key": texts(255, required=True),
    "ReverseTransactionRequest.idempotency_key": texts(255, required=True),
    "ReverseTransactionRequest.amount": [
        put("in_another_currency", money("1.00", "EUR"), at="amount.currency"),
        put("above_the_original", money("100.01"), "REVERSAL_EXCEEDS_ORIGINAL"),
    ],
    "ReverseTransactionRequest.parts": [
        put("1001", [transactions.ReversalPart(posting_index=n, amount=money("1")) for n in range(1001)]),
        put(
            "unbalanced",
            [
                transactions.ReversalPart(posting_index=0, amount=money("1.00")),
                transactions.ReversalPart(posting_index=1, amount=money("2.00")),
            ],
            "UNBALANCED_TRANSACTION",
        ),
        Case(
            "together_with_the_other_form",
            lambda message, _, __: message.MergeFrom(transactions.ReverseTransactionRequest(amount=money("1.00"))),
        ),
    ],
    "ReversalPart.posting_index": [put("negative", -1), put("beyond_the_last", 3), put("twice", 0)],
    "ReversalPart.amount": [leave_out()],
    "AskTransactionsRequest.question": [*texts(500, required=True), put("blanks", "   ")],
    "CategorizeTransactionRequest.idempotency_key": texts(255, required=True),
    "CategorizeTransactionRequest.category_id": category_ids(required=False, archived=True),
    "WatchTransactionsRequest.after_sequence": [put("negative", -1)],
    "CreateCategoryRequest.category_id": [
        *chosen_id(),
        put("taken_by_a_different_one", "rent", "CATEGORY_ALREADY_EXISTS"),
    ],
    "CreateCategoryRequest.name": [*texts(200, required=True), put("taken", "rent", "CATEGORY_NAME_TAKEN")],
    "ListCategoriesRequest.include_archived": ANYTHING,
    "UpdateCategoryRequest.category_id": category_ids(archived=True),
    "UpdateCategoryRequest.name": [*texts(200, required=True), put("taken", "rent", "CATEGORY_NAME_TAKEN")],
    # By message and field: reconciliations.
    **{f"{method}Request.account_id": reconciled_accounts() for method in _ON_A_RECONCILIATION},
    **{f"{method}Request.currency": RECONCILED_CURRENCIES for method in _ON_A_RECONCILIATION},
    "ListReconciliationsRequest.account_id": [case for case in reconciled_accounts() if case.label != "missing"],
    "ListReconciliationsRequest.currency": RECONCILED_CURRENCIES,
    "StartReconciliationRequest.currency": [leave_out(), *CURRENCIES],
    "GetReconciliationProfileRequest.currency": CURRENCIES,
    "UpdateReconciliationProfileRequest.currency": CURRENCIES,
    "date": DAYS,
    "note": texts(1_000, prose=True),
    "StartReconciliationRequest.date": [leave_out(), *DAYS],
    "CloseReconciliationRequest.date": [
        leave_out(),
        *DAYS,
        put("before_its_beginning", "2026-05-01", "RECONCILIATION_CLOSED"),
    ],
    "CloseReconciliationRequest.accept_differences": ANYTHING,
    "ReopenReconciliationRequest.date": [
        leave_out(),
        *DAYS,
        put("of_no_closing", "2026-06-29", "RECONCILIATION_NOT_FOUND"),
    ],
    "StartReconciliationRequest.statement_balance": [case for case in SIGNED_AMOUNTS if case.label != "empty"],
    "StartReconciliationRequest.outstanding_transaction_ids": transaction_lists("outstanding_transaction_ids", 10_000),
    "UpdateReconciliationProfileRequest.profile": [leave_out(at="profile.rules")],
    "ReconciliationProfile.rules": [put("none", []), put("33", [_RULE] * 33)],
    "ReconciliationProfile.charges": [put("101", [_CHARGE] * 101), put("name_twice", [_CHARGE] * 2)],
    "ReconciliationProfile.difference_account_id": account_ids(),
    "ReconciliationProfile.difference_description": texts(200, required=True),
    "ReconciliationProfile.is_inverted": [put("with_lines_already", value=True)],
    "ReconciliationProfile.clears_transactions": ANYTHING,
    "ReconciliationProfile.csv_mapping": mappings("csv_mapping"),
    "MatchRule.kind": _enum(0, 8, 9, 99, -1),
    "MatchRule.days": [put("negative", -1), put("over_a_year", 367)],
    "MatchRule.tolerance": [*BOUNDS, put("three_decimals", "0.001")],
    "MatchRule.tolerance_ppm": [put("negative", -1), put("over_a_million", 1_000_001)],
    "MatchRule.similarity": [put("negative", -1), put("over_100", 101)],
    "MatchRule.most": [put("negative", -1), put("one", 1), put("over_100", 101)],
    "MatchRule.auto_confirm": ANYTHING,
    "ChargeTemplate.name": texts(64, required=True),
    "ChargeTemplate.pattern": [*texts(200, required=True), put("no_word", "* - *")],
    "ChargeTemplate.sign": [put("two", 2), put("minus_two", -2)],
    "ChargeTemplate.description": texts(200, required=True),
    "ImportStatementRequest.header": [leave_out()],
    "ImportStatementRequest.chunk": [put("before_the_header", b"Date", at="header")],
    "ImportStatementHeader.currency": CURRENCIES,
    "ImportStatementHeader.file_name": texts(200, required=True),
    "ImportStatementHeader.csv_mapping": mappings("csv_mapping"),
    "ImportStatementHeader.opening_balance": BALANCES,
    "ImportStatementHeader.closing_balance": BALANCES,
    "ImportStatementHeader.bank_account": [*texts(64), put("no_sign", "- - -")],
    "ListStatementLinesRequest.statement_number": [put("negative", -1)],
    "ListStatementLinesRequest.state": _enum(4, 99, -1),
    "ListLedgerItemsRequest.state": _enum(4, 99, -1),
    "ListMatchesRequest.state": _enum(5, 99, -1),
    "ListMatchesRequest.rule": _enum(10, 99, -1),
    "ListFindingsRequest.kind": _enum(14, 99, -1),
    "CreateMatchRequest.line_numbers": [
        put("zero", [7, 0], at="line_numbers[1]"),
        put("negative", [-1], at="line_numbers[0]"),
        put("twice", [7, 7]),
        put("1001", list(range(1, 1_002))),
        put("unknown", [99], "ITEM_NOT_OPEN"),
        put("matched_already", [2], "ITEM_NOT_OPEN"),
        put("alone", lambda w: [], at="line_numbers"),
    ],
    "CreateMatchRequest.transaction_ids": [
        *transaction_lists("transaction_ids", 1_000),
        put("of_another_account", lambda w: [w.posted], "ITEM_NOT_OPEN"),
    ],
    "CreateMatchRequest.write_off_account_id": [
        *account_ids(required=False),
        leave_out(at="write_off_description"),
    ],
    "CreateMatchRequest.write_off_description": texts(200, required=True),
    "ConfirmMatchesRequest.match_numbers": match_numbers(settled=1),
    "ConfirmMatchesRequest.with_write_offs": ANYTHING,
    "RejectMatchesRequest.match_numbers": [leave_out(), *match_numbers(settled=1)],
    "UndoMatchesRequest.match_numbers": [leave_out(), *match_numbers(settled=1)[:-1]],
    "GetReconciliationRequest.max_open_items": [put("negative", -1), put("over_10000", 10_001)],
    "ExportReconciliationRequest.format": [leave_out(), *_enum(5, 99, -1)],
    # By the path from the method, where an item of a batch or stream differs.
    "BatchCreateAccounts.requests.entity_id": [put("another_one", lambda w: w.other_entity)],
    "BatchCreateTransactions.requests.entity_id": [put("another_one", lambda w: w.other_entity)],
}


def _clear(message: Message, *fields: str) -> None:
    for field in fields:
        message.ClearField(field)
