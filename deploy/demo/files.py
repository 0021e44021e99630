# SPDX-License-Identifier: EUPL-1.2
"""Real files, as bidders hand them in: PDF, DOCX, XLSX, a summary as text, and 300 MB of plans.

Rules
  1. The plans do not compress, as real ones do not, and are written in a stream.
  2. Whatever is secret stands once in each kind of place: in a file's name, in plain text, in a table.
"""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import typst
from docx import Document as WordDocument
from openpyxl import Workbook

MB = 1000 * 1000
PLANS = 12  # files in the archive
PLAN_SIZE = 25 * MB
PLANS_SIZE = PLANS * PLAN_SIZE
BLOCK = 1 << 20

_PAGE = """
#set document(title: sys.inputs.title, author: sys.inputs.bidder)
#set page(margin: 2.5cm, footer: align(center, text(size: 8pt, fill: gray, sys.inputs.bidder)))
#set text(size: 11pt, lang: "fr")
#v(3cm)
#text(size: 10pt, fill: gray, sys.inputs.bidder)
#v(2mm)
#text(size: 22pt, weight: "bold", sys.inputs.title)
#v(2mm)
#line(length: 100%, stroke: 0.5pt + gray)
#v(6mm)
#for paragraph in sys.inputs.body.split("|") { par(justify: true, paragraph); v(3mm) }
"""


def write_pdf(path: Path, *, bidder: str, title: str, body: str) -> None:
    """A page of prose, set by typst; paragraphs are parted by `|`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs = {"bidder": bidder, "title": title, "body": body}
    path.write_bytes(typst.compile(_PAGE.encode(), format="pdf", sys_inputs=inputs))


def write_docx(path: Path, *, bidder: str, title: str, steps: tuple[str, ...]) -> None:
    """A time schedule."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = WordDocument()
    document.core_properties.author = bidder
    document.add_heading(title, level=1)
    document.add_paragraph(bidder)
    table = document.add_table(rows=1, cols=2, style="Light Grid Accent 1")
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Semaine", "Travaux"
    for week, step in enumerate(steps, start=1):
        cells = table.add_row().cells
        cells[0].text, cells[1].text = f"{2 * week - 1} à {2 * week}", step
    document.save(str(path))


def write_xlsx(path: Path, *, bidder: str, total: int, items: tuple[str, ...]) -> None:
    """A bill of prices that sums up to `total` euros."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = Workbook()
    sheet = book.active
    if sheet is None:
        raise ValueError("a new workbook has a sheet")
    sheet.title = "Prix"
    sheet.append(["Poste", "Montant HT (EUR)", bidder])
    left = total
    for number, item in enumerate(items):
        amount = left if number == len(items) - 1 else total // len(items)
        left -= amount
        sheet.append([item, amount])
    sheet.append(["Total HT", f"=SUM(B2:B{len(items) + 1})"])
    sheet.column_dimensions["A"].width = 40
    sheet.column_dimensions["B"].width = 20
    book.save(path)


def write_summary(path: Path, text: str) -> None:
    """A few lines of plain text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_plans(path: Path, progress: Callable[[int], None]) -> None:
    """The archive of plans, 300 MB that do not compress."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(1, PLANS + 1):
            with archive.open(f"plans/niveau-{number:02}.dwg", "w") as plan:
                for begin in range(0, PLAN_SIZE, BLOCK):
                    block = os.urandom(min(BLOCK, PLAN_SIZE - begin))
                    plan.write(block)
                    progress(len(block))
