# SPDX-License-Identifier: EUPL-1.2
"""A procedure that is opened as one is: seven custodians, two hundred small envelopes, one of a gibibyte; then read.

Rules
  1. Everything goes through the API and the tools that people use; keys, rehearsals and waiting are not counted.
  2. Four of seven custodians contribute: so many are needed. Their key files are opened once each, as people do.
  3. Downloads and checks take turns with their peers, as uploads do.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit
from uuid import UUID

from api.auth import ISSUER, Actor, Role
from api.cli.custodian import commands as custodian_command
from api.cli.remote import Vault
from bench import processes, small
from bench.client import BenchFailed, depositor, write_document
from bench.measures import ROOT, Measure, alone, more_is_better
from bench.peers import FASTEST, Peers
from bench.stage import LOT, SETTLE, SIRET, Stage, token
from bench.uploads import BIDDER, words
from crypto.policy import person_id
from crypto.stream import SWITCH_INTERVAL
from retention.formats.bagit import unpack
from retention.verification import Check, Step, read_trust, verify
from retention.verification import Wanted as Checked

CUSTODIANS, NEEDED, ENVELOPES = 7, 4, 200
PASSPHRASE = "a-bench-opens-nothing-of-value"  # noqa: S105 - the keys die with the bench
BASE = 90.0  # seconds from the draft to the deadline, and for each second that a key takes:
KEY_USES = 16
PATIENCE = 300.0  # seconds
PIECE = 1024 * 1024
DOWNLOAD_GOAL, VERIFY_GOAL = 0.25, 0.8
SUMS = ("sha256sum", "sha512sum")
OPENED = "The opened envelopes"  # the step of `bidvault verify` that checks their receipts and opens them anew
DIGESTED = "The bag"  # the one that computes both digests of each file


@dataclass(frozen=True)
class Custodian:
    """One of seven: a key file and a token."""

    subject: str
    key: Path
    token: Path
    passphrase: Path = field(repr=False)

    def does(self, command: Callable[..., None], stage: Stage, **options: object) -> None:
        """One of `bidvault custodian …`."""
        with custodian_command.people.capture():
            command(
                key=self.key, passphrase_file=self.passphrase, url=stage.vault.url, token_file=self.token, **options
            )


@dataclass
class _Procedure:
    stage: Stage
    home: Path
    buyer: Vault
    token: str = field(repr=False)
    custodians: list[Custodian]
    id: UUID

    def asked(self, path: str) -> dict[str, object]:
        return dict(json.loads(self.buyer.get(path)))

    def open(self, box: int) -> tuple[float, Mapping[str, float]]:
        """Offer, contribute, wait for the minutes: seconds, and CPU seconds of each part."""
        before, began = processes.cpu_seconds(), time.perf_counter()
        made = json.loads(self.buyer.post_json(f"/v1/procedures/{self.id}/openings", {"boxes": [box]}))
        for custodian in self.custodians[:NEEDED]:
            custodian.does(custodian_command.contribute, self.stage, opening=made["id"])
        _await(lambda: self.asked(f"/v1/openings/{made['id']}")["state"] == "minuted", "the opening")
        seconds, after = time.perf_counter() - began, processes.cpu_seconds()
        return seconds, {part: after[part] - before[part] for part in before}


def measure(stage: Stage, *, size: int, pairs: int) -> list[Measure]:
    """Opening, downloading, exporting, checking."""
    procedure = _published(stage)
    source = write_document(procedure.home / "small.bin", small.SIZE)
    here = Stage(
        stage.vault, stage.works, procedure.home, procedure.id, stage.policy, stage.policy_note, stage.platform
    )
    small.together(lambda count: small.deposit_some(here, source, stage.vault.url, count), ENVELOPES // small.CLIENTS)
    large = write_document(procedure.home / "large.bin", size)
    with depositor(here) as client:
        client.deposit(large, bidder=BIDDER, part="financial")
    _await(lambda: _states(procedure) == {"closed"}, "the closing")
    seconds, used = procedure.open(1)
    procedure.open(2)
    words_of = f"{ENVELOPES} envelopes of 10 KB opened by {NEEDED} of {CUSTODIANS} custodians"
    return [
        alone(f"{words_of}: seconds in all, from the offer to the minutes", seconds, "s"),
        *(alone(f"{words_of}: CPU of the {part}", spent, "s") for part, spent in used.items()),
        _download(procedure, large.file, size=size, pairs=pairs),
        *_check(procedure, size=size, pairs=pairs),
    ]


def _download(procedure: _Procedure, file: Path, *, size: int, pairs: int) -> Measure:
    listed = json.loads(procedure.buyer.get(f"/v1/procedures/{procedure.id}/envelopes"))
    (one,) = [one for one in listed if one["box"] == 2]  # noqa: PLR2004 - the financial box
    path = f"/v1/procedures/{procedure.id}/envelopes/{one['id']}/documents/{one['documents'][0]['number']}"
    peers = Peers(procedure.stage, file)
    upload = peers.acts()[FASTEST]
    assert upload is not None
    upload()
    turns = [(peers.read(), _read(procedure, path)) for _ in range(pairs)]
    peers.clean()
    peer, own = (median(size / 1e6 / turn[which] for turn in turns) for which in (0, 1))
    name = f"download of an opened document of {words(size)}"
    ratio = round(median(peer / own for peer, own in turns), 3)
    return Measure(name, round(own, 1), "MB/s", "get_object", round(peer, 1), ratio, DOWNLOAD_GOAL)


def _read(procedure: _Procedure, path: str) -> float:
    address = urlsplit(procedure.stage.vault.url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    began = time.perf_counter()
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {procedure.token}"})
        answer = connection.getresponse()
        while answer.read(PIECE):
            continue
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise BenchFailed(f"the download answered {answer.status}")
    return time.perf_counter() - began


def _check(procedure: _Procedure, *, size: int, pairs: int) -> list[Measure]:
    tar, folder = procedure.home / "package.tar", procedure.home / "package"
    began = time.perf_counter()
    procedure.buyer.download(f"/v1/procedures/{procedure.id}/package", tar)
    exported = time.perf_counter() - began
    unpack(tar, folder)
    tar.unlink()
    files = [str(one) for one in sorted(folder.rglob("*")) if one.is_file()]
    whole = sum(Path(one).stat().st_size for one in files) / 1e6
    trust = procedure.stage.vault.trust
    turns = [(_sums(files), _verify(folder, trust)) for _ in range(pairs)]
    shutil.rmtree(folder)
    sums = median(seconds for seconds, _ in turns)
    in_all, reopening, digesting = (median(found[which] for _, found in turns) for which in range(3))
    hashing = median(found[0] - found[1] for _, found in turns)
    ratio = median(peer / (found[0] - found[1]) for peer, found in turns)
    name = f"verify of a package of {whole / 1000:.1f} GB with {ENVELOPES + 1} envelopes"
    row = more_is_better(
        f"{name}, without reopening", whole / hashing, "MB/s", peer=(" and ".join(SUMS), whole / sums), goal=VERIFY_GOAL
    )
    return [
        Measure(row.name, row.value, row.unit, row.peer, row.peer_value, round(ratio, 3), VERIFY_GOAL),
        alone(f"{name}, its digests alone", whole / digesting, "MB/s"),
        alone(f"{name}, reopening its .tvse files alone", size / 1e6 / reopening, "MB/s"),
        alone(f"{name}, in all", in_all, "s"),
        alone("export of that package", whole / exported, "MB/s"),
    ]


def _sums(files: list[str]) -> float:
    """Both programs side by side over the same files."""
    began = time.perf_counter()
    programs = [shutil.which(name) or name for name in SUMS]
    running = [
        subprocess.Popen([program, "--", *files], stdout=subprocess.DEVNULL)  # noqa: S603 - no shell, our own files
        for program in programs
    ]
    if any(one.wait() for one in running):
        raise BenchFailed("the sums failed")
    return time.perf_counter() - began


def _verify(folder: Path, trust: Path) -> tuple[float, float, float]:
    """Seconds of `bidvault verify` as people run it; of reopening and of digests, told by the same check in process."""
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("bidvault")), "verify", str(folder), "--trust", str(trust), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603
    in_all = time.perf_counter() - began
    if done.returncode not in (0, 2):
        raise BenchFailed(f"the package is not sound: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    marks: list[tuple[str, float]] = []

    def told(step: Step, found: Check | None) -> None:
        if found is None:
            marks.append((step.title, time.perf_counter()))

    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        verify(Checked(folder), read_trust(trust), listener=told)
    finally:
        sys.setswitchinterval(before)
    marks.append(("", time.perf_counter()))
    steps = {title: after - at for (title, at), (_, after) in pairwise(marks)}
    return in_all, steps[OPENED], steps[DIGESTED]


def _published(stage: Stage) -> _Procedure:
    home = stage.home / f"opened-{time.monotonic_ns()}"
    home.mkdir()
    began = time.perf_counter()
    custodians = [_custodian(stage, home, number) for number in range(CUSTODIANS)]
    each = (time.perf_counter() - began) / CUSTODIANS
    deadline = datetime.now(UTC) + timedelta(seconds=BASE + KEY_USES * each)
    cards = [one.key.with_suffix(".card").read_text(encoding="ascii") for one in custodians]
    part = {"deadline": deadline.isoformat(), "k": NEEDED, "custodians": cards}
    parts = [{**part, "part": "technical"}, {**part, "part": "financial", "after": ["technical"]}]
    lots = [{"id": LOT, "title": "Bench", "parts": parts}]
    wanted = {"reference": "OPENED", "title": "Bench", "siret": SIRET, "buyer": "Bench", "settle": SETTLE, "lots": lots}
    held = token(stage.works, Actor("bench.buyer", Role.BUYER, organisation=SIRET))
    buyer = Vault(stage.vault.url, held)
    made = json.loads(buyer.post_json("/v1/procedures", wanted))
    for custodian in custodians:
        custodian.does(custodian_command.rehearse, stage, procedure=made["id"])
    buyer.post_json(f"/v1/procedures/{made['id']}/publish", {})
    return _Procedure(stage, home, buyer, held, custodians, UUID(made["id"]))


def _custodian(stage: Stage, home: Path, number: int) -> Custodian:
    subject = f"bench.custodian.{number}"
    actor = Actor(subject, Role.CUSTODIAN, person=person_id(ISSUER, subject))
    passphrase, token_file = home / "passphrase", home / f"{subject}.token"
    passphrase.write_text(PASSPHRASE + "\n", encoding="ascii")
    token_file.write_text(token(stage.works, actor) + "\n", encoding="ascii")
    with custodian_command.people.capture():
        custodian_command.init(home, name=subject, organisation="Bench", subject=subject, passphrase_file=passphrase)
    (key,) = home.glob(f"*{subject.replace('.', '-')}.key")
    return Custodian(subject, key, token_file, passphrase)


def _states(procedure: _Procedure) -> set[str]:
    boxes = procedure.asked(f"/v1/procedures/{procedure.id}")["boxes"]
    return {str(one["state"]) for one in boxes} if isinstance(boxes, list) else set()


def _await(is_so: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > give_up:
            raise BenchFailed(f"{what} did not come within {PATIENCE:.0f} s")
        time.sleep(0.1)
