# SPDX-License-Identifier: EUPL-1.2
"""`bidvault withdraw ID`: take an envelope back before the deadline, and with it the bidder's earlier ones in its box.

Left to others: the statement's check (api.client), what is shared with depositing (api.cli.deposit).
"""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from api.cli.deposit import (
    Bidder,
    Lot,
    Place,
    ProcedureId,
    Token,
    TokenFile,
    Trust,
    Url,
    out,
    read_token,
    read_trust,
    told,
)
from api.client import DepositClient
from crypto.deposit import Verdict

app = typer.Typer(add_completion=False)


@app.command()
def withdraw(
    envelope_id: Annotated[UUID, typer.Argument(metavar="ID", help="The envelope's id.")],
    *,
    url: Url,
    procedure: ProcedureId,
    lot: Lot,
    bidder: Bidder,
    token_file: TokenFile = None,
    token: Token = "",
    into: Annotated[Path, typer.Option("--out", help="Where receipts lie; a folder for each envelope.")] = Path(
        "receipts"
    ),
    trust: Trust = None,
) -> None:
    """Withdraw an envelope, and the bidder's earlier ones in its box; it counts only before the deadline.

    The signed statement is checked and kept in OUT/ID: withdrawal, withdrawal.evidence. The id is used up.
    """
    with told(), DepositClient(url, read_token(token, token_file), anchors=read_trust(trust)) as client:
        proved = client.withdraw(procedure=procedure, lot=lot, envelope_id=envelope_id, bidder=bidder)
        place = Place(into / str(envelope_id))
        place.keep_proved("withdrawal", proved)
        if proved.checked.ruling.verdict is Verdict.IN_TIME:
            out.print(f"Withdrawn, with the bidder's earlier envelopes in its box. Kept: {place.folder / 'withdrawal'}")
        else:
            out.print(
                "[yellow]Not in time: the withdrawal has no effect, the envelope stays.[/] "
                f"Kept: {place.folder / 'withdrawal'}"
            )
