"""The endpoints of /v1/categories."""

from __future__ import annotations

from ledger_service.domain.errors import Reason
from ledger_service.gateway import bodies, categories
from ledger_service.gateway.endpoint import Body, Endpoint, Good, Parameter
from ledger_service.gateway.parameters import ENTITY, PAGING
from ledger_service.gateway.schemas import CATEGORY, EXAMPLE_CATEGORY, page_example, page_of, wrapped
from ledger_service.gateway.shapes import Boolean, Text

_TAG = "Categories"
_ONE = wrapped("category", CATEGORY, "The category.")
_ONE_EXAMPLE = {"category": EXAMPLE_CATEGORY}
_ID = Parameter("categoryId", Text(64, 1), "The category.", "cat_5678", required=True, in_path=True)
_READ = (Reason.ENTITY_NOT_FOUND, Reason.CATEGORY_NOT_FOUND)
_WRITE = (*_READ, Reason.ENTITY_ARCHIVED, Reason.IDEMPOTENCY_KEY_REUSED)

CATEGORIES = (
    Endpoint(
        "POST", "/v1/categories", "CreateCategory", _TAG, "Create a category", categories.create,
        Good(201, "The category.", _ONE, _ONE_EXAMPLE),
        parameters=(ENTITY,),
        body=Body(bodies.CREATE_CATEGORY, {"category": {"id": "cat_5678", "name": "Office Expenses"}}),
        reasons=(
            Reason.ENTITY_NOT_FOUND, Reason.ENTITY_ARCHIVED, Reason.IDEMPOTENCY_KEY_REUSED,
            Reason.CATEGORY_ALREADY_EXISTS, Reason.CATEGORY_NAME_TAKEN,
        ),
        is_write=True,
        fields={"category_id": "id"},
    ),
    Endpoint(
        "GET", "/v1/categories", "ListCategories", _TAG, "List categories, by name", categories.listing,
        Good(200, "A page.", page_of("categories", CATEGORY), page_example("categories", EXAMPLE_CATEGORY)),
        parameters=(
            ENTITY, *PAGING,
            Parameter("includeArchived", Boolean(), "With those out of use.", "true", default=False),
        ),
        reasons=(Reason.ENTITY_NOT_FOUND, Reason.INVALID_PAGE_TOKEN),
    ),
    Endpoint(
        "GET", "/v1/categories/{categoryId}", "GetCategory", _TAG, "Read a category", categories.get,
        Good(200, "The category.", _ONE, _ONE_EXAMPLE),
        parameters=(ENTITY, _ID),
        reasons=_READ,
    ),
    Endpoint(
        "PATCH", "/v1/categories/{categoryId}", "UpdateCategory", _TAG, "Change a category", categories.update,
        Good(200, "The category as it is now.", _ONE, _ONE_EXAMPLE),
        "Only the members that are sent are changed; null clears one.",
        parameters=(ENTITY, _ID),
        body=Body(bodies.UPDATE_CATEGORY, {"rename": {"name": "Office and Paper"}}),
        reasons=(*_WRITE, Reason.CATEGORY_ARCHIVED, Reason.CATEGORY_NAME_TAKEN, Reason.REVISION_MISMATCH),
        is_write=True,
    ),
    Endpoint(
        "POST", "/v1/categories/{categoryId}/archive", "ArchiveCategory", _TAG, "Take a category out of use",
        categories.archive,
        Good(200, "The category as it is now.", _ONE, {"category": {**EXAMPLE_CATEGORY, "state": "ARCHIVED"}}),
        "Transactions keep it; no new ones are given it.",
        parameters=(ENTITY, _ID),
        reasons=(*_WRITE, Reason.CATEGORY_ARCHIVED),
        is_write=True,
    ),
)  # fmt: skip
