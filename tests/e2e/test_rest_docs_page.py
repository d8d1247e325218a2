"""The page /docs in a real browser: it works, loads nothing from elsewhere, and keeps to its strict policy."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.helpers.browser import NEEDS_BROWSER, open_browser
from tests.helpers.servers import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.servers import Service

pytestmark = NEEDS_BROWSER
WAIT_SECONDS = 60.0


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    with open_browser(tmp_path) as found:
        yield found


def use(browser: Any, url: str, picture: Path) -> None:
    """Open the page, sign in, and call a method from it."""
    wait = WebDriverWait(browser, WAIT_SECONDS)

    def click(css: str) -> None:
        element = wait.until(lambda _: browser.find_element(By.CSS_SELECTOR, css))
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click();", element)

    browser.get(f"{url}/docs")
    wait.until(lambda _: len(browser.find_elements(By.CSS_SELECTOR, ".opblock")) > 30)
    assert browser.title == "Ledger API"
    tags = [one.text for one in browser.find_elements(By.CSS_SELECTOR, ".opblock-tag a span")]
    assert [tag.split("\n")[0] for tag in tags] == [
        "Transactions",
        "Accounts",
        "Categories",
        "Reconciliations",
        "Entities",
        "Proofs",
    ]
    browser.save_screenshot(str(picture))

    click("button.authorize")
    field = wait.until(lambda _: browser.find_element(By.CSS_SELECTOR, ".auth-container input"))
    field.send_keys(TOKEN)
    click(".auth-btn-wrapper button.authorize")
    wait.until(lambda _: browser.find_elements(By.CSS_SELECTOR, ".auth-btn-wrapper button.modal-btn"))
    click(".auth-btn-wrapper button.btn-done")
    click("#operations-Entities-getEntities .opblock-summary-control")
    click("#operations-Entities-getEntities .try-out__btn")
    for css in ("[data-param-name='cursor'] input", "[data-param-name='pageSize'] input"):
        browser.find_element(By.CSS_SELECTOR, f"#operations-Entities-getEntities {css}").clear()
    click("#operations-Entities-getEntities .execute")
    answer = wait.until(
        lambda _: browser.find_element(By.CSS_SELECTOR, "#operations-Entities-getEntities .live-responses-table").text
    )
    assert '"hasMore": false' in answer
    browser.save_screenshot(str(picture.with_name("answer.png")))

    problems = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert problems == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    # The browser begins with a page of its own.
    asked = [one["request"]["url"] for one in sent if one["documentURL"].startswith(url)]
    assert f"{url}/docs/swagger-ui-bundle.js" in asked
    assert [one for one in asked if not one.startswith((f"{url}/", "data:"))] == []


async def test_docs_page(service: Service, browser: Any, tmp_path: Path) -> None:
    picture = tmp_path / "docs.png"
    await asyncio.to_thread(use, browser, service.rest, picture)
    assert picture.stat().st_size > 10_000
