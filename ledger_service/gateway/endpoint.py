"""What an endpoint is: one declaration from which its route, its checks and its documentation are made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger_service.application.access import Principal
from ledger_service.application.use_cases import UseCases
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.gateway.errors import TRANSACTION_FIELDS, error_object
from ledger_service.gateway.outgoing import Outgoing
from ledger_service.gateway.shapes import Member, Shape


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query or, if it stands in the path, of the path."""

    name: str
    shape: Shape
    description: str
    example: Any
    required: bool = False
    in_path: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Body:
    """The JSON body of a request, and examples of it by name."""

    shape: Shape
    examples: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart/form-data body: fields, and after them the part `file`. Examples show a name for the file."""

    fields: tuple[Member, ...]
    file: str
    """What the file is, for people."""
    examples: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Good:
    """An answer of success: status, shape and example of its body."""

    status: int
    description: str
    shape: Shape
    example: Any
    documents: Mapping[str, str | None] = field(default_factory=dict)
    """Media types of what may be answered instead of JSON, each with an example if it is text."""


@dataclass(frozen=True, slots=True)
class Document:
    """An answer that is no JSON of ours: a file to save, or a page that is shown with its own styles alone."""

    content: bytes
    media_type: str
    file_name: str
    """ASCII without quotation marks."""
    is_page: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with; `replayed` None: the call was no write."""

    body: Any
    status: int = 200
    replayed: bool | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A form as it comes in: the fields that were sent, by what the use case calls them, and the file."""

    fields: Mapping[str, Any]
    file_name: str
    chunks: AsyncIterator[bytes]
    """To be read once; raises LedgerError INVALID_ARGUMENT, HttpError, ClientGoneError."""


@dataclass(slots=True)
class Call:
    """One call of an endpoint, read and authenticated."""

    principal: Principal
    query: dict[str, Any]
    path: dict[str, Any]
    body: Any
    """As its shape reads it; of an endpoint with a form an Upload."""
    key: str
    """The idempotency key, the caller's or a fresh one; empty for reads."""

    def entity_id(self) -> str:
        """The query parameter `entityId`; empty if it was not given."""
        return str(self.query.get("entityId", ""))


@dataclass(slots=True)
class Services:
    """What handlers work with."""

    use_cases: UseCases
    out: Outgoing

    def tell(self, error: LedgerError, fields: Mapping[str, str] = TRANSACTION_FIELDS) -> dict[str, Any]:
        """The error of one transaction inside of an answer."""
        return error_object(error, fields, of_transaction=True)


Handler = Callable[[Services, Call], Awaitable[Answer | Document]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one path. `use_case` names its scope in application.access.SCOPES."""

    method: str
    path: str
    use_case: str
    tag: str
    summary: str
    run: Handler
    good: Good
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    form: Form | None = None
    """Instead of `body`."""
    reasons: tuple[Reason, ...] = ()
    """What may refuse it beyond what may refuse every call."""
    is_write: bool = False
    also: tuple[Good, ...] = ()
    """Other answers of success."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What its request calls the fields of the use case; others are turned into camel case."""

    @property
    def is_of_transactions(self) -> bool:
        """Whether errors have the codes of the document."""
        return self.path.startswith("/v1/transactions")

    @property
    def path_parameters(self) -> tuple[Parameter, ...]:
        """Those in the path."""
        return tuple(one for one in self.parameters if one.in_path)

    @property
    def query_parameters(self) -> tuple[Parameter, ...]:
        """Those in the query."""
        return tuple(one for one in self.parameters if not one.in_path)
