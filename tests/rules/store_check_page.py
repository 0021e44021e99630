# SPDX-License-Identifier: EUPL-1.2
"""The page docs/reference/store-check.md, from the program's own list of checks.

Left to others: the checks and their words (deploy.conformance).
"""

from typing import Final

from deploy.conformance import CHECKS, TRIED_AT_START
from tests.rules.requirements_register import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "store-check.md"

HEAD: Final = """# What an object store must do

<!-- Written by `make requirements` from deploy/conformance/table.py. Do not edit. -->

A store that says it has Object Lock may still delete, forget or mix up. So it is asked:

```sh
bidvault store check
bidvault --data /srv/vault store check
bidvault store check --endpoint https://store.example --bucket vault --identities identities.json --json
```

The first two forms read the settings of a vault, the third names any store; `identities.json` holds whom to try it as,
for its owner only:

```json
{"vault": {"access_key": "…", "secret_key": "…"},
 "provision": {"access_key": "…", "secret_key": "…"},
 "reader": {"access_key": "…", "secret_key": "…"}}
```

`provision` is whoever may make buckets: a lock must bind it too. `reader` may only read. Without them checks 6 and 28
are tried as far as they go, and the findings say so; the key store (31 to 33) is that of the settings.

- **Exit code**: 0 when every *must* was kept, 1 when one was not or no store answered, 2 when it is not clear which
  store is meant. A *should* that is not kept costs nothing today: each attempt writes under a name of its own.
- It takes about a minute and a half, since a lock must be seen to end. With `--json` the findings come as one document.
- **What it leaves**: small objects under `check/`, locked for a minute or two; the next run deletes those whose locks
  have ended. Nothing outside `check/` is touched.
- **At every start** the vault tries, without waiting, those that the last column names, and refuses to start on a store
  that fails one.
- **Durability cannot be tried from outside.** The embedded store's disk is flushed by the vault before anything is
  acknowledged. For an outside store it is the store's promise: ask its operator what an acknowledged write survives,
  and name it with `--durability`, so that it stands beside the findings.
- The clock that check 25 compares with is put right by the time authorities of the settings, where there are any.

| | what is tried | expected | | at start |
|---|---|---|---|---|
"""


def page() -> str:
    """One row for each check, in the order of the list."""
    rows = []
    for one in CHECKS:
        at_start = "yes" if one.number in TRIED_AT_START else ""
        rows.append(f"| {one.number} | {one.says} | {one.expected} | {one.weight} | {at_start} |\n")
    return HEAD + "".join(rows)
