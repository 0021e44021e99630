# SPDX-License-Identifier: EUPL-1.2
"""What a recovery says to the operator, in French and in English: one line for each thing done or named."""

from collections.abc import Mapping

from vault.recovery import Done, Loss, Lost

DONE: Mapping[Done, tuple[str, str]] = {
    Done.ROWS: ("lignes remises depuis les copies du magasin", "rows put back from the store's copies"),
    Done.PLACES: ("écritures du journal remises à leur rang", "journal entries put back in their place"),
    Done.HEADS: ("points de contrôle du journal repris", "signed heads of the journal adopted"),
    Done.POLICIES: (
        "politiques connues du verrou temporel, remises en vigueur",
        "policies that the gate knew, in force again",
    ),
    Done.CLOSINGS: ("clôtures reprises à l'octet près", "closings adopted byte for byte"),
    Done.OPENINGS: (
        "ouvertures signées par le verrou temporel, reprises",
        "openings that the gate had signed, adopted",
    ),
    Done.GATE: ("actes que le verrou temporel se rappelle de nouveau", "acts that the gate remembers again"),
    Done.KEYS: ("clés de plis retrouvées sans rien redemander", "file keys found again, nobody was asked"),
    Done.KEYED: ("ouvertures dont toutes les clés sont là", "openings whose keys are all there"),
    Done.REPEATED: (
        "ouvertures à refaire : l'acheteur les propose de nouveau, les détenteurs de clé contribuent",
        "openings to be repeated: the buyer offers them again, custodians contribute",
    ),
    Done.REGISTERED: ("plis réinscrits d'après leur accusé", "envelopes registered again by their receipt"),
    Done.JUDGED: ("plis qui ont retrouvé leur verdict", "envelopes that have their verdict back"),
    Done.WITHDRAWN: ("retraits rétablis", "withdrawals that stand again"),
}
LOST: Mapping[Lost, tuple[str, str]] = {
    Lost.COPY: ("copie des lignes perdue ou abîmée", "copy of rows gone or damaged"),
    Lost.ENTRY: ("écriture du journal dont le contenu est perdu", "journal entry whose content is lost"),
    Lost.PROCEDURE_KEY: (
        "clé de la procédure perdue : aucun de ses plis ne s'ouvrira",
        "key of the procedure lost: none of its envelopes will open",
    ),
    Lost.GATE_SEED: (
        "clé du verrou temporel perdue : aucun pli encore fermé ne s'ouvrira",
        "key of the gate lost: no envelope that is still shut will open",
    ),
    Lost.OBJECT_KEY: ("clé du pli perdue : il ne s'ouvrira pas", "key of the envelope lost: it will not open"),
    Lost.OBJECT: ("pli absent du magasin", "envelope missing from the store"),
    Lost.PROCEDURE: (
        "procédure connue du seul verrou temporel : restaurez une base plus récente",
        "procedure that the gate alone knows: restore a newer database",
    ),
    Lost.UNCLAIMED: (
        "pli sans ligne : demandez son accusé de réception à la plateforme",
        "envelope without a row: ask the platform for its receipt",
    ),
    Lost.UNREADABLE: ("objet sans ligne ni clé", "object without a row and without a key"),
    Lost.STATEMENT: ("document montré et non repris", "statement shown and not taken"),
    Lost.AFTER_CLOSING: (
        "dans les délais d'après son accusé, boîte clôturée sans lui : à admettre par décision",
        "in time by its receipt, closed without it: to be admitted by decision",
    ),
    Lost.GATE: ("le verrou temporel et la base se contredisent", "gate and vault contradict each other"),
}


def subject(loss: Loss) -> str:
    """What a loss is about, in one line."""
    where = [f"procedure {loss.procedure}" if loss.procedure else "", f"box {loss.box}" if loss.box else ""]
    return ", ".join(part for part in (loss.subject, *where, loss.reason) if part)
