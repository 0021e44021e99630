# SPDX-License-Identifier: EUPL-1.2
"""Who takes part, and what they hand in: all of it invented, SIRETs included."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from api.client import Order
from crypto.deposit import DepositRecord
from crypto.policy import Part

BUYER = "Commune de Kerlann"
BUYER_SIRET = "99910001900010"
REFERENCE = "2026-TX-014"
TITLE = "Médiathèque de Kerlann : gros œuvre et menuiseries"
QUORUM = 3


@dataclass(frozen=True, slots=True)
class Custodian:
    """One of five people without three of whom nothing opens."""

    name: str
    organisation: str
    subject: str

    def key(self, keys: Path) -> Path:
        """Their key file."""
        return keys / f"{self._stem}.key"

    def card(self, keys: Path) -> Path:
        """Their card file, for the buyer."""
        return keys / f"{self._stem}.card"

    def passphrase(self, keys: Path) -> Path:
        """The passphrase of the key file."""
        return keys / f"{self._stem}.passphrase"

    def token(self, keys: Path) -> Path:
        """Their token at the vault."""
        return keys / f"{self.subject}.token"

    @property
    def _stem(self) -> str:
        """As `bidvault custodian init` names files."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.subject)


CUSTODIANS = (
    Custodian("Anne Le Goff", "Commune de Kerlann, maire", "anne.legoff"),
    Custodian("Bruno Tanguy", "Commune de Kerlann, marchés", "bruno.tanguy"),
    Custodian("Claire Morvan", "Trésorerie de Pontrieux", "claire.morvan"),
    Custodian("Denis Prigent", "Étude Prigent, commissaire de justice", "denis.prigent"),
    Custodian("Élise Caradec", "Chambre de commerce", "elise.caradec"),
)


@dataclass(frozen=True, slots=True)
class Bidder:
    """A company that bids."""

    name: str
    siret: str

    @property
    def text(self) -> str:
        """As the deposit's header says it."""
        return f"siret:{self.siret}"


ARMOR = Bidder("Armor Bâtiment SAS", "99920002500016")
OUEST = Bidder("Ouest Structure SARL", "99930003100013")
KERJEAN = Bidder("Menuiserie Kerjean", "99940004700018")
VERRE = Bidder("Atelier du Verre SCOP", "99950005100019")
BIDDERS = {one.text: one for one in (ARMOR, OUEST, KERJEAN, VERRE)}


@dataclass(frozen=True)
class Bid:
    """One envelope to be handed in: by whom, for which lot and part, with which files of its folder."""

    name: str
    bidder: Bidder
    lot: str
    part: Part
    files: tuple[str, ...]

    def folder(self, documents: Path) -> Path:
        """Where its files are."""
        return documents / self.name


@dataclass
class Deposited:
    """An envelope that was handed in, with what its depositor keeps.

    Attributes:
        order: id, deposit secret, documents: what a repeat, a print and a withdrawal need.
        note: the signed receipt.
        evidence: the file beside it.
        record: what the receipt is about.
        verdict: as the receipt says it.
        fate: what has become of it since.
    """

    bid: Bid
    order: Order = field(repr=False)
    note: bytes = field(repr=False)
    evidence: bytes = field(repr=False)
    record: DepositRecord = field(repr=False)
    verdict: str
    fate: str = ""

    @property
    def id(self) -> UUID:
        """The envelope's id."""
        return self.order.envelope_id


TECHNICAL, FINANCIAL = Part.TECHNICAL, Part.FINANCIAL
MEMO, SCHEDULE, PLANS = "Mémoire technique.pdf", "Planning des travaux.docx", "plans/Plans d’exécution.zip"
PRICES, COMMITMENT, SUMMARY = "Bordereau des prix.xlsx", "Acte d’engagement.pdf", "Récapitulatif du prix.txt"

ARMOR_TECHNICAL = Bid("armor-lot1-technical", ARMOR, "1", TECHNICAL, (MEMO, SCHEDULE, PLANS))
ARMOR_FINANCIAL = Bid("armor-lot1-financial", ARMOR, "1", FINANCIAL, (PRICES, COMMITMENT, SUMMARY))
ARMOR_BETTER = Bid("armor-lot1-financial-new", ARMOR, "1", FINANCIAL, (PRICES, COMMITMENT, SUMMARY))
OUEST_TECHNICAL = Bid("ouest-lot1-technical", OUEST, "1", TECHNICAL, (MEMO,))
KERJEAN_TECHNICAL = Bid("kerjean-lot2-technical", KERJEAN, "2", TECHNICAL, (MEMO, SCHEDULE))
KERJEAN_FINANCIAL = Bid("kerjean-lot2-financial", KERJEAN, "2", FINANCIAL, (PRICES, SUMMARY))
VERRE_TECHNICAL = Bid("verre-lot2-technical", VERRE, "2", TECHNICAL, (MEMO,))
VERRE_FINANCIAL = Bid("verre-lot2-financial", VERRE, "2", FINANCIAL, (PRICES, SUMMARY))

FIRST_SIX = (ARMOR_FINANCIAL, OUEST_TECHNICAL, KERJEAN_TECHNICAL, KERJEAN_FINANCIAL, VERRE_TECHNICAL, ARMOR_TECHNICAL)
ALL_BIDS = (*FIRST_SIX, ARMOR_BETTER, VERRE_FINANCIAL)
TOTALS = {
    ARMOR_FINANCIAL.name: 1_284_350,
    ARMOR_BETTER.name: 1_197_820,
    KERJEAN_FINANCIAL.name: 346_915,
    VERRE_FINANCIAL.name: 338_470,
}


def euros(amount: int) -> str:
    """An amount as people write it."""
    return f"{amount:,}".replace(",", " ") + ",00 EUR"
