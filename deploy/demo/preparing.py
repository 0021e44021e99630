# SPDX-License-Identifier: EUPL-1.2
"""Before the story: files of the bidders, keys and passphrases of the custodians, tokens, what is to be trusted."""

import secrets
from collections.abc import Callable
from datetime import timedelta

from api import tokens
from api.auth import ISSUER, Actor, Role, open_issuer
from api.bootstrap import read_passphrase
from api.cli.custodian import commands as custodian_command
from crypto.policy import person_id
from deploy.demo import files
from deploy.demo.cast import (
    ALL_BIDS,
    BUYER_SIRET,
    COMMITMENT,
    CUSTODIANS,
    MEMO,
    PLANS,
    PRICES,
    QUORUM,
    SCHEDULE,
    SUMMARY,
    TOTALS,
    Bid,
    Custodian,
    euros,
)
from deploy.demo.places import Places
from deploy.demo.stage import AUDITOR, BUYER, PLATFORM, Stage, told
from vault.work import Works

TOKEN_LIFETIME = timedelta(days=30)
ITEMS = ("Installation de chantier", "Fournitures", "Pose", "Études d’exécution", "Nettoyage et repli")
STEPS = ("Études d’exécution", "Installation de chantier", "Fondations et élévations", "Pose", "Réception")


def tell_files(stage: Stage) -> None:
    """Make what the bidders will hand in."""
    stage.screen.chapter(
        "The bids",
        "Four companies write what they will hand in: memoranda, schedules, bills of prices, and 300 MB of plans.",
    )
    with stage.screen.working("Drawing 300 MB of plans that do not compress", files.PLANS_SIZE) as advance:
        for bid in ALL_BIDS:
            _write_bid(stage.places, bid, advance)
    made = [path for path in stage.places.documents.rglob("*") if path.is_file()]
    whole = sum(path.stat().st_size for path in made)
    stage.screen.done(f"{len(made)} documents, {whole / files.MB:.0f} MB", "PDF, DOCX, XLSX, TXT, ZIP")


def tell_keys(stage: Stage) -> None:
    """Each custodian makes a key."""
    stage.screen.chapter(
        "Five keys",
        f"Five people from five houses make a key each. Any {QUORUM} of them will open the bids; no two ever can.",
    )
    keys = stage.places.keys
    rows = []
    for custodian in CUSTODIANS:
        custodian.passphrase(keys).write_text(_passphrase() + "\n", encoding="ascii")
        with stage.screen.busy(f"{custodian.name} makes a key"), told(custodian_command.people) as printed:
            custodian_command.init(
                keys,
                name=custodian.name,
                organisation=custodian.organisation,
                subject=custodian.subject,
                passphrase_file=custodian.passphrase(keys),
            )
        rows.append((custodian.name, custodian.organisation, printed().rsplit(" ", 1)[-1]))
    stage.screen.table("", ("custodian", "of", "key id, to be compared by telephone"), rows)
    _issue_tokens(stage.works, stage)


def _issue_tokens(works: Works, stage: Stage) -> None:
    """What `bidvault token` does, for eight people and machines at once."""
    actors = [
        Actor(BUYER, Role.BUYER, organisation=BUYER_SIRET),
        Actor(PLATFORM, Role.PLATFORM),
        Actor(AUDITOR, Role.AUDITOR),
        *(_custodian(one) for one in CUSTODIANS),
    ]
    issuer = open_issuer(works.settings.keys, read_passphrase(works.settings.passphrase_file), works.clock)
    for actor in actors:
        token = tokens.issue(works, issuer, actor, lifetime=TOKEN_LIFETIME)
        stage.token_file(actor.subject).write_text(token + "\n", encoding="ascii")
    stage.screen.done(f"{len(actors)} tokens: buyer, tender platform, auditor, custodians", "each one in the journal")


def _custodian(one: Custodian) -> Actor:
    return Actor(one.subject, Role.CUSTODIAN, person=person_id(ISSUER, one.subject))


def _write_bid(places: Places, bid: Bid, advance: Callable[[int], None]) -> None:
    bidder, folder = f"{bid.bidder.name}, SIRET {bid.bidder.siret}", bid.folder(places.documents)
    total = TOTALS.get(bid.name, 0)
    writers: dict[str, Callable[[], None]] = {
        MEMO: lambda: files.write_pdf(folder / MEMO, bidder=bidder, title="Mémoire technique", body=_prose(bid)),
        SCHEDULE: lambda: files.write_docx(folder / SCHEDULE, bidder=bidder, title="Planning des travaux", steps=STEPS),
        PLANS: lambda: files.write_plans(folder / PLANS, advance),
        PRICES: lambda: files.write_xlsx(folder / PRICES, bidder=bidder, total=total, items=ITEMS),
        COMMITMENT: lambda: files.write_pdf(
            folder / COMMITMENT, bidder=bidder, title="Acte d’engagement", body=f"Montant HT : {euros(total)}."
        ),
        SUMMARY: lambda: files.write_summary(folder / SUMMARY, f"{bidder}\nMontant total HT : {euros(total)}\n"),
    }
    for name in bid.files:
        writers[name]()


def _prose(bid: Bid) -> str:
    return (
        f"{bid.bidder.name} présente son organisation pour le lot {bid.lot} de la médiathèque de Kerlann.|"
        "Les équipes sont formées au travail en site occupé ; un conducteur de travaux est présent chaque jour.|"
        "Les matériaux viennent de moins de cent kilomètres. Les déchets sont triés en cinq flux sur le chantier.|"
        "Un compte rendu est remis chaque vendredi au maître d’ouvrage, avec photographies et avancement chiffré."
    )


def _passphrase() -> str:
    """Five groups of letters: a demo's passphrase, written beside the key."""
    letters = "abcdefghijkmnpqrstuvwxyz"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(5))
