"""Which column of a CSV file means what: told by the user, known of a payment processor, or found by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

from ledger_service.domain.errors import invalid
from ledger_service.statements.decoding import ENCODINGS
from ledger_service.statements.values import currency_code

DATE_ORDERS = ("dmy", "mdy", "ymd")
DECIMALS = {"point": ".", "comma": ","}
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


@dataclass(frozen=True, slots=True)
class CsvMapping:
    """Names of columns, and styles where the file leaves them open; None is "find it".

    Either `amount` is signed (or has its sign in `direction`), or `debit` and `credit` are columns of their own.
    `gross` and `fee` are what a processor's net amount is made of. `original_amount` is an amount in another currency
    than the account's; where there is such a column, `currency` is its currency.
    """

    date: str | None = None
    value_date: str | None = None
    amount: str | None = None
    debit: str | None = None
    credit: str | None = None
    direction: str | None = None
    gross: str | None = None
    fee: str | None = None
    currency: str | None = None
    original_amount: str | None = None
    counterparty: str | None = None
    counterparty_account: str | None = None
    reference: str | None = None
    second_reference: str | None = None
    text: str | None = None
    kind: str | None = None
    status: str | None = None
    balance: str | None = None
    account: str | None = None
    date_order: str | None = None
    decimal: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    currency_code: str | None = None
    account_number: str | None = None


COLUMNS = tuple(field.name for field in fields(CsvMapping))[:19]
"""The fields of a mapping that name columns."""

_CHOICES: dict[str, Sequence[str]] = {
    "date_order": DATE_ORDERS,
    "decimal": tuple(DECIMALS),
    "delimiter": tuple(DELIMITERS),
    "encoding": ENCODINGS,
}


def mapping_of(pairs: Iterable[str]) -> CsvMapping:
    """The mapping that texts such as "date=Buchungstag" and "date-order=dmy" make.

    Raises LedgerError INVALID_ARGUMENT for what is not KEY=VALUE, for unknown keys, keys given twice, and unknown
    styles.
    """
    told: dict[str, str] = {}
    known = {field.name for field in fields(CsvMapping)}
    for pair in pairs:
        key, _, value = pair.partition("=")
        name = key.strip().lower().replace("-", "_")
        if name not in known:
            keys = ", ".join(sorted(each.replace("_", "-") for each in known))
            raise invalid("mapping", f"{key[:40]!a} is no key of a mapping; the keys are {keys}")
        if not value.strip() or name in told:
            raise invalid("mapping", f"{key[:40]} needs one value: write {key[:40]}=VALUE once")
        choices = _CHOICES.get(name)
        if choices is not None and value.strip().lower() not in choices:
            raise invalid("mapping", f"{key}: {value[:40]!a} is none of {', '.join(choices)}")
        told[name] = value.strip().lower() if choices is not None else value.strip()
    if "currency_code" in told:
        told["currency_code"] = currency_code(told["currency_code"], 0)
    return replace(CsvMapping(), **told)


@dataclass(frozen=True, slots=True)
class Preset:
    """A report of a payment processor: it is this one if all of its mapping's columns `needs` are there."""

    name: str
    needs: tuple[str, ...]
    mapping: CsvMapping


PRESETS = (
    Preset(
        "CSV (Stripe)",
        ("balance_transaction_id", "created", "currency", "gross", "fee", "net"),
        CsvMapping(
            date="created",
            value_date="available_on",
            amount="net",
            gross="gross",
            fee="fee",
            currency="currency",
            reference="source_id",
            second_reference="balance_transaction_id",
            text="description",
            kind="reporting_category",
        ),
    ),
    Preset(
        "CSV (Stripe)",
        ("id", "type", "source", "amount", "fee", "net", "currency", "created (utc)"),
        CsvMapping(
            date="created (utc)",
            value_date="available on (utc)",
            amount="net",
            gross="amount",
            fee="fee",
            currency="currency",
            reference="source",
            second_reference="id",
            text="description",
            kind="type",
        ),
    ),
    Preset(
        "CSV (PayPal)",
        ("date", "name", "type", "status", "currency", "gross", "fee", "net", "transaction id"),
        CsvMapping(
            date="date",
            amount="net",
            gross="gross",
            fee="fee",
            currency="currency",
            counterparty="name",
            counterparty_account="from email address",
            reference="transaction id",
            second_reference="reference txn id",
            text="subject",
            kind="type",
            status="status",
            balance="balance",
        ),
    ),
    Preset(
        "CSV (Adyen)",
        (
            "merchant account",
            "psp reference",
            "merchant reference",
            "creation date",
            "type",
            "net currency",
            "net debit (nc)",
            "net credit (nc)",
        ),
        CsvMapping(
            date="creation date",
            debit="net debit (nc)",
            credit="net credit (nc)",
            currency="net currency",
            reference="merchant reference",
            second_reference="psp reference",
            text="modification reference",
            kind="type",
            account="merchant account",
            decimal="point",
        ),
    ),
)

_NAMES: dict[str, tuple[str, ...]] = {
    "date": (
        "date",
        "booking date",
        "bookingdate",
        "booked",
        "posting date",
        "posted date",
        "transaction date",
        "completed date",
        "buchungstag",
        "buchungsdatum",
        "datum",
        "boekdatum",
        "fecha",
        "data",
        "date operation",
        "date opération",
    ),
    "value_date": (
        "value date",
        "valuedate",
        "valuta",
        "valutadatum",
        "wertstellung",
        "rentedatum",
        "date valeur",
        "fecha valor",
    ),
    "amount": (
        "amount",
        "transaction amount",
        "net amount",
        "betrag",
        "umsatz",
        "bedrag",
        "montant",
        "importe",
        "importo",
    ),
    "debit": ("debit", "debit amount", "withdrawal", "withdrawals", "money out", "paid out", "soll", "debet", "débit"),
    "credit": ("credit", "credit amount", "deposit", "deposits", "money in", "paid in", "haben", "crédit"),
    "direction": ("af bij", "debit/credit", "credit/debit", "soll/haben", "d/c", "dr/cr", "cr/dr"),
    "currency": ("currency", "currency code", "währung", "waehrung", "muntsoort", "munt", "devise", "moneda", "divisa"),
    "original_amount": ("amount currency", "original amount", "amount in currency"),
    "counterparty": (
        "partner name",
        "counterparty",
        "counterparty name",
        "name",
        "payee",
        "merchant",
        "empfänger",
        "auftraggeber/empfänger",
        "beguenstigter/zahlungspflichtiger",
        "begünstigter/zahlungspflichtiger",
        "naam tegenpartij",
        "naam / omschrijving",
    ),
    "counterparty_account": (
        "bank account",
        "counterparty account",
        "counterparty iban",
        "kontonummer/iban",
        "tegenrekening",
        "tegenrekening iban/bban",
    ),
    "reference": (
        "reference",
        "ref",
        "transaction id",
        "transaction reference",
        "referenz",
        "kundenreferenz (end-to-end)",
        "referentie",
        "kenmerk",
        "référence",
    ),
    "text": (
        "label",
        "description",
        "text",
        "memo",
        "details",
        "narrative",
        "verwendungszweck",
        "omschrijving",
        "mededelingen",
        "libellé",
        "libelle",
        "concepto",
        "descrizione",
    ),
    "kind": ("type", "transaction type", "buchungstext", "mutatiesoort"),
    "balance": ("balance", "running balance", "balance after", "saldo", "saldo nach buchung", "solde"),
    "account": ("account", "account number", "account iban", "auftragskonto", "rekening"),
}


def column_key(name: str) -> str:
    """A column's name as names are compared: without case and extra blanks."""
    return " ".join(name.split()).lower()


def mapping_for(header: Sequence[str], told: CsvMapping) -> tuple[str, CsvMapping] | None:
    """The format's name and the mapping for a row that may be the header; None if it is none.

    What was told goes before what is known of the names. A header names a date and an amount.
    """
    present = {column_key(cell) for cell in header}
    name, found = "CSV", CsvMapping()
    preset = next((each for each in PRESETS if present.issuperset(each.needs)), None)
    if preset is not None:
        name, found = preset.name, preset.mapping
    else:
        known = {field: next((each for each in names if each in present), None) for field, names in _NAMES.items()}
        found = replace(found, **known)
    changes = {field.name: value for field in fields(CsvMapping) if (value := getattr(told, field.name)) is not None}
    found = replace(found, **changes)
    if told.amount:
        found = replace(found, debit=told.debit, credit=told.credit)
    elif told.debit or told.credit:
        found = replace(found, amount=None)
    if any(column_key(getattr(told, column)) not in present for column in COLUMNS if getattr(told, column)):
        return None
    if found.date is None or (found.amount is None and found.debit is None and found.credit is None):
        return None
    return name, found
