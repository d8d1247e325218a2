"""The page of a report in a real browser: on the screen and on A4, with nothing cut, run or fetched."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.rendering import to_html
from tests.helpers.browser import NEEDS_BROWSER, open_browser
from tests.helpers.reports import empty_report, enormous, hostile_report, some_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = NEEDS_BROWSER

# A4 less the margins that the page asks for, at 96 pixels an inch.
PAPER_WIDTH = 672
REPORTS = {
    "empty": empty_report(),
    "some": some_report(),
    "one-week": some_report(3, 1, 0),
    "many": some_report(2_000, 400, 60),
    "enormous": enormous(),
    "ether": enormous(18),
    "hostile": hostile_report(),
}

# What sticks out of its table cell, of the picture or of the page.
CUT = """
const page = document.querySelector('main').getBoundingClientRect();
const out = [...document.querySelectorAll('th, td, p, h1, h2, dd, figure')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.right > page.right + 1 || box.left < page.left - 1 || one.scrollWidth > one.clientWidth + 1;
});
const picture = document.querySelector('svg')?.getBoundingClientRect();
const drawn = [...document.querySelectorAll('svg text, svg rect')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && (box.right > picture.right + 1 || box.left < picture.left - 1 || box.bottom > picture.bottom + 1);
});
return [...out, ...drawn].map(one => one.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_browser(tmp_path_factory.mktemp("browser"), size=(1100, 1400)) as found:
        yield found


def opened(browser: Any, folder: Path, name: str) -> None:
    file = folder / f"{name}.html"
    file.write_bytes(to_html(REPORTS[name]))
    browser.get(file.as_uri())


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_cut(browser: Any, tmp_path: Path, name: str) -> None:
    opened(browser, tmp_path, name)
    try:
        browser.save_screenshot(str(tmp_path / "screen.png"))
        assert browser.execute_script(CUT) == []
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": PAPER_WIDTH, "height": 980, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert browser.execute_script(CUT) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize(("name", "least", "most"), [("empty", 2, 2), ("some", 3, 5), ("many", 50, 140)])
def test_it_prints_in_pages(browser: Any, tmp_path: Path, name: str, least: int, most: int) -> None:
    opened(browser, tmp_path, name)
    answer = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    printed = base64.b64decode(answer["data"])
    (tmp_path / "page.pdf").write_bytes(printed)
    assert least <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= most
    sheets = {tuple(round(float(side)) for side in box.split()) for box in re.findall(rb"/MediaBox \[(.*?)\]", printed)}
    (sheet,) = sheets
    assert sheet[:2] == (0, 0)
    assert abs(sheet[2] - 595) <= 1, "A4"
    assert abs(sheet[3] - 842) <= 1, "A4"


def test_nothing_is_run_or_fetched(browser: Any, tmp_path: Path) -> None:
    browser.get_log("browser")
    browser.get_log("performance")
    opened(browser, tmp_path, "hostile")
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
    assert asked == [(tmp_path / "hostile.html").as_uri()]
    assert browser.execute_script("return document.scripts.length") == 0
    # An alert would make this fail.
    assert "alert(1)" in browser.title + browser.execute_script("return document.body.innerText")
