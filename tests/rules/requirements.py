# SPDX-License-Identifier: EUPL-1.2
"""The command behind `make requirements`: writes the generated pages, or says what still lacks a test.

    python -m tests.rules.requirements                  write the generated pages under docs/reference
    python -m tests.rules.requirements --missing        print what is asked of this work and has no test
    python -m tests.rules.requirements --settle ID …    mark ids as proved, each only if a test names it

Left to others: reading (tests.rules.requirements_register), the page's text (tests.rules.requirements_page).
"""

import argparse
import sys
from collections.abc import Sequence

from tests.rules import problems_page, reliability_page, routes_page, store_check_page, threats_table
from tests.rules.requirements_page import page
from tests.rules.requirements_register import (
    PAGE,
    REGISTER,
    ROOT,
    Proof,
    Requirement,
    collect,
    contradictions,
    load,
    missing,
    provable,
    settle,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 1 when the register and the tests contradict one another, or when something is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.rules.requirements")
    parser.add_argument("--missing", action="store_true", help="print what still lacks a test, write nothing")
    parser.add_argument("--settle", metavar="ID", nargs="+", help="mark these ids as proved, if a test names them")
    options = parser.parse_args(arguments)
    proofs = collect(ROOT / "tests")
    if options.missing:
        return _print_missing(load(), proofs)
    if options.settle:
        settle(REGISTER, options.settle, proofs)
    register = load()
    PAGE.write_text(page(register, proofs), encoding="utf-8")
    problems_page.PAGE.write_text(problems_page.page(), encoding="utf-8")
    routes_page.PAGE.write_text(routes_page.page(), encoding="utf-8")
    store_check_page.PAGE.write_text(store_check_page.page(), encoding="utf-8")
    threats_table.PAGE.write_text(threats_table.page(), encoding="utf-8")
    reliability_page.PAGE.write_text(reliability_page.page(), encoding="utf-8")
    found = contradictions(register, proofs)
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


def _print_missing(register: Sequence[Requirement], proofs: Sequence[Proof]) -> int:
    lacking, ready = missing(register, proofs), provable(register, proofs)
    sys.stdout.writelines(f"no test   {entry.id:8} {entry.says}\n" for entry in lacking)
    sys.stdout.writelines(f"has test  {entry.id:8} waits for: {entry.state}\n" for entry in ready)
    sys.stdout.write(f"{len(lacking)} without a test; {len(ready)} with a test and not yet said to be proved\n")
    return 1 if lacking else 0


if __name__ == "__main__":
    raise SystemExit(main())
