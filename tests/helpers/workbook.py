"""An Excel workbook read back from its XML: what is stored in each cell, digit for digit."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@dataclass(frozen=True)
class StoredCell:
    """`text` is the text, or the number's digits as the file has them."""

    text: str
    is_number: bool
    formula: str = ""


def sheets_of(workbook: bytes) -> dict[str, dict[str, StoredCell]]:
    """The cells of every sheet, by sheet name and by reference ("B7")."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as packed:
        names = [sheet.attrib["name"] for sheet in ET.fromstring(packed.read("xl/workbook.xml")).iter(f"{_MAIN}sheet")]
        return {name: _cells(packed.read(f"xl/worksheets/sheet{number}.xml")) for number, name in enumerate(names, 1)}


def rows_of(cells: dict[str, StoredCell]) -> list[list[str]]:
    """The texts, row by row, of the rows that have any."""
    rows: dict[int, list[str]] = {}
    for reference, cell in cells.items():
        rows.setdefault(int(reference.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")), []).append(cell.text)
    return [rows[number] for number in sorted(rows)]


def _cells(sheet: bytes) -> dict[str, StoredCell]:
    found = {}
    for cell in ET.fromstring(sheet).iter(f"{_MAIN}c"):
        texts = [part.text or "" for part in cell.iter(f"{_MAIN}t")]
        value, formula = cell.findtext(f"{_MAIN}v"), cell.findtext(f"{_MAIN}f") or ""
        if cell.get("t") == "inlineStr":
            found[cell.attrib["r"]] = StoredCell("".join(texts), is_number=False)
        elif value is not None:
            found[cell.attrib["r"]] = StoredCell(value, is_number=cell.get("t") is None, formula=formula)
    return found
