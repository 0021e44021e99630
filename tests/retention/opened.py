# SPDX-License-Identifier: EUPL-1.2
"""A procedure from its publication to its minutes, with everything that can become of an envelope, and its package."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from crypto.policy import Part
from deploy.embedded import Addresses
from retention.export import export
from retention.formats.bagit import stream_tar, unpack
from retention.package import ArchivePackage
from tests.api.depositing import seal
from tests.world import pki
from tests.world.world import ACME, BUYER, PLATFORM, ZENITH, World, service_keys
from vault import closing, decisions
from vault.prints.seal import PrintSeal

OTHER = "siret:73282932000074"
SLOW = "siret:40483304800022"
DOCUMENTS = {"plans/façade.pdf": b"%PDF-1.7 " + bytes(range(256)) * 900, "prix.txt": b"42\n"}


@dataclass
class Story:
    """What happened, and what was exported of it.

    Attributes:
        envelopes: ids by what became of them.
        receipts: what depositors hold, by the same names.
        tar: the package as TAR.
        folder: the package unpacked.
        trust: what a checker brings.
    """

    world: World
    home: Path
    envelopes: dict[str, UUID] = field(default_factory=dict)
    receipts: dict[str, bytes] = field(default_factory=dict)
    tar: Path = field(init=False)
    folder: Path = field(init=False)
    trust: Path = field(init=False)

    def deposit(self, name: str, bidder: str, *, part: Part = Part.TECHNICAL, after: timedelta) -> None:
        """Deposit an envelope so long after the deadline (before it: negative)."""
        made = self.world.deposit(bidder, DOCUMENTS, at=self.world.deadline + after, part=part)
        self.envelopes[name], self.receipts[name] = made.id, made.acknowledgement.note

    def export(self) -> ArchivePackage:
        """Export as the buyer."""
        return export(self.world.works, BUYER, self.world.procedure, seal=self.seal)

    @property
    def seal(self) -> PrintSeal:
        """The vault's seal of prints."""
        return PrintSeal(seal(), self.world.works.authorities)

    def folder_of(self, name: str, box: int = 1) -> Path:
        """An opened envelope's folder in the package."""
        return self.folder / "data" / f"box-{box}" / "envelopes" / str(self.envelopes[name])


@contextmanager
def story(addresses: Addresses, home: Path) -> Iterator[Story]:
    """Tell the story once; it takes a few seconds."""
    world = World(addresses)
    told = Story(world, home)
    try:
        world.publish(world.draft(k=2, n=3))
        _deposit_all(told)
        world.after_settle(1)
        world.close_box(1)
        world.close_box(2)
        world.open_boxes(1, by=2)
        opening = world.offer(2, left_out=(told.envelopes["left-out"],))
        for one in world.custodians[:2]:
            world.contribute(opening, one)
        assert world.advance(opening)
        _admit(told, "admitted")
        _write(told)
        yield told
    finally:
        world.close()


def write_trust(folder: Path) -> Path:
    """What a checker brings: roots as PEM, the vault's keys."""
    folder.mkdir(parents=True)
    for which in ("a", "b", "seal"):
        (folder / f"{which}.pem").write_bytes(pki.anchors_pem(which))
    keys = service_keys()
    for name, signer in (("statements", keys.statement), ("journal", keys.journal)):
        (folder / f"{name}.vkey").write_text(signer.verifier.vkey + "\n")
    return folder


def _deposit_all(told: Story) -> None:
    minute = timedelta(minutes=1)
    told.deposit("superseded", ACME, after=-9 * minute)
    told.deposit("withdrawn", OTHER, after=-8 * minute)
    told.deposit("acme", ACME, after=-7 * minute)
    told.deposit("zenith", ZENITH, after=-6 * minute)
    told.deposit("price", ACME, part=Part.FINANCIAL, after=-5 * minute)
    told.deposit("left-out", ZENITH, part=Part.FINANCIAL, after=-4 * minute)
    told.world.withdraw(told.envelopes["withdrawn"], OTHER)
    told.deposit("late", OTHER, after=timedelta(seconds=5))
    told.deposit("admitted", SLOW, after=timedelta(seconds=6))


def _admit(told: Story, name: str) -> None:
    """Two custodians admit a late envelope; it is closed and opened alone."""
    world = told.world
    drafted = decisions.draft(
        world.works,
        PLATFORM,
        world.procedure,
        envelope_id=told.envelopes[name],
        reason="coupure du réseau de l'acheteur",
    )
    for one in world.custodians[:2]:
        signed = one.sign(drafted)
        decisions.decide(world.works, PLATFORM, world.procedure, note=signed.note, person=one.person)
    closing.close_admitted(world.works, drafted.id)
    opening = world.offer(admitted=(told.envelopes[name],))
    for one in world.custodians[:2]:
        world.contribute(opening, one)
    assert world.advance(opening)


def _write(told: Story) -> None:
    told.tar, told.folder = told.home / "package.tar", told.home / "package"
    with told.tar.open("wb") as file:
        for block in stream_tar(told.export()):
            file.write(block)
    unpack(told.tar, told.folder)
    told.trust = write_trust(told.home / "trust")
