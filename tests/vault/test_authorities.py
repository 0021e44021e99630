# SPDX-License-Identifier: EUPL-1.2
"""Asking time authorities: fail-over, evidence, distance; first simulated, then certomancer over HTTP."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from crypto.certificates import chain_to_anchor, read_anchors, read_certificates
from crypto.errors import SignatureError, UnprovenTimestampError
from crypto.pades import load_seal, sign_pdf, verify_pdf
from crypto.timestamp import build_request, judge_token, token_certificates, token_of
from deploy.authorities import Authorities, AuthorityAddresses, ask_time, write_seal, write_trust
from tests.crypto.test_pades import unsigned
from tests.world import pki
from tests.world.authority import SimulatedAuthority, SimulatedLine, TimeWorld
from vault.authorities import Authority, HttpLine, Stamp, TimeAuthorities
from vault.errors import AuthorityUnavailable, TimeUnproven

IMPRINT = hashlib.sha256(b"a record").digest()


@pytest.fixture
def world() -> TimeWorld:
    return TimeWorld()


@pytest.mark.proves("TIME-05")
def test_while_no_authority_answers_the_reasons_of_each_are_told(world: TimeWorld) -> None:
    world.a.silent = True
    world.b.refuses = True
    with pytest.raises(AuthorityUnavailable) as told:
        world.authorities.stamp(IMPRINT)
    assert any("Authority A" in reason for reason in told.value.reasons)
    assert any("rejection" in reason for reason in told.value.reasons)


@pytest.mark.proves("TIME-05")
def test_a_silent_authority_is_passed_over_and_asked_last_for_a_while(world: TimeWorld) -> None:
    world.a.silent = True
    assert "B" in world.authorities.stamp(IMPRINT).verified.authority
    world.a.silent = False
    assert "B" in world.authorities.stamp(IMPRINT).verified.authority
    assert world.a.asked == []


@pytest.mark.proves("TIME-05")
def test_an_authority_slower_than_two_seconds_is_passed_over(world: TimeWorld) -> None:
    world.a.slow_by = timedelta(seconds=2, milliseconds=1)
    assert "B" in world.authorities.stamp(IMPRINT).verified.authority


@pytest.mark.proves("TIME-03")
@pytest.mark.parametrize("wrong", ["wrong_nonce", "wrong_imprint", "refuses", "revocation_silent", "silent"])
def test_an_authority_that_answers_wrongly_is_passed_over(world: TimeWorld, wrong: str) -> None:
    setattr(world.a, wrong, True)
    assert "B" in world.authorities.stamp(IMPRINT).verified.authority


@pytest.mark.proves("TIME-03")
@pytest.mark.parametrize("label", ["tsa-revoked", "tsa-expired", "tsa-no-eku"])
def test_an_authority_that_may_not_give_time_is_passed_over(world: TimeWorld, label: str) -> None:
    world.a.label = label
    assert "B" in world.authorities.stamp(IMPRINT).verified.authority


@pytest.mark.proves("TIME-03")
def test_no_address_is_asked_that_an_untrusted_certificate_names(world: TimeWorld) -> None:
    line = ListeningLine(world.line.authorities)
    world.line = line
    world.a.label = "tsa-foreign"
    with pytest.raises(AuthorityUnavailable):
        world.asking([world.a]).stamp(IMPRINT)
    assert [address for address in line.addresses if "/tsa/" not in address] == []


@pytest.mark.proves("TIME-03")
def test_a_policy_that_is_not_allowed_gives_no_token(world: TimeWorld) -> None:
    with pytest.raises(AuthorityUnavailable, match="policy"):
        world.asking([world.a, world.b], policies=("1.2.3",)).stamp(IMPRINT)


@pytest.mark.proves("TIME-03", "ARC-03")
def test_all_that_was_exchanged_is_kept_and_proves_the_token_anew(world: TimeWorld) -> None:
    stamp = world.authorities.stamp(IMPRINT)
    again = judge_token(stamp.verified.token, IMPRINT, anchors=pki.time_anchors(), evidence=stamp.evidence)
    assert again == stamp.verified
    assert stamp.verified.token in stamp.response
    assert stamp.query == world.a.asked[0]


def test_revocation_data_is_asked_for_once_a_minute_and_anew_when_time_jumps(world: TimeWorld) -> None:
    line = ListeningLine(world.line.authorities)
    world.line = line
    asking = world.asking([world.a])
    for _ in range(5):
        asking.stamp(IMPRINT)
    assert sum("/ocsp/" in address for address in line.addresses) == 1
    world.clock.advance(timedelta(days=400))
    asking.stamp(IMPRINT)
    assert sum("/ocsp/" in address for address in line.addresses) == 2


def test_an_authority_revoked_while_its_data_is_at_hand_is_noticed_within_a_minute(world: TimeWorld) -> None:
    asking = world.asking([world.a])
    asking.stamp(IMPRINT)
    world.a.label = "tsa-revoked"
    with pytest.raises(AuthorityUnavailable):
        asking.stamp(IMPRINT)


@pytest.mark.proves("T10")
def test_a_quorum_of_two_needs_two_roots(world: TimeWorld) -> None:
    twice = world.asking([world.a, world.a])
    with pytest.raises(AuthorityUnavailable, match="of 2 authorities"):
        twice.stamp_by(IMPRINT, quorum=2)
    stamps = world.authorities.stamp_by(IMPRINT, quorum=2)
    assert len({stamp.verified.anchor_hash for stamp in stamps}) == 2


@pytest.mark.proves("T10", "TIME-05")
def test_with_one_authority_down_a_moment_is_not_proved_and_the_text_says_which(world: TimeWorld) -> None:
    world.b.silent = True
    with pytest.raises(TimeUnproven, match="Authority B"):
        world.authorities.prove_passed(world.clock.now - timedelta(hours=1), over=IMPRINT, quorum=2)


@pytest.mark.proves("T11")
def test_before_the_moment_nothing_is_proved(world: TimeWorld) -> None:
    with pytest.raises(TimeUnproven, match="has not come"):
        world.authorities.prove_passed(world.clock.now, over=IMPRINT, quorum=2)
    world.clock.advance(timedelta(seconds=1))
    proof, stamps = world.authorities.prove_passed(world.clock.now - timedelta(seconds=1), over=IMPRINT, quorum=2)
    assert {stamp.verified for stamp in stamps} == set(proof.tokens)


@pytest.mark.proves("T10")
def test_one_authority_ahead_of_time_proves_nothing_alone(world: TimeWorld) -> None:
    world.a.ahead = timedelta(days=1)
    with pytest.raises(TimeUnproven):
        world.authorities.prove_passed(world.clock.now + timedelta(hours=1), over=IMPRINT, quorum=2)


@pytest.mark.proves("T7")
def test_our_own_clock_ahead_proves_nothing(world: TimeWorld) -> None:
    moment = world.clock.now + timedelta(hours=20)
    ours = pki.Clock(world.clock.now + timedelta(days=1))
    asking = TimeAuthorities(
        [Authority("A", world.a.address), Authority("B", world.b.address)],
        line=world.line,
        anchors=pki.time_anchors(),
        clock=ours,
    )
    with pytest.raises(TimeUnproven):
        asking.prove_passed(moment, over=IMPRINT, quorum=2)


def test_tokens_at_hand_that_are_late_enough_are_used_without_asking(world: TimeWorld) -> None:
    have = world.authorities.stamp_by(IMPRINT, quorum=2)
    world.line.is_cut = True
    _, stamps = world.authorities.prove_passed(
        world.clock.now - timedelta(minutes=1), over=IMPRINT, quorum=2, have=have
    )
    assert stamps == have
    with pytest.raises(TimeUnproven):
        world.authorities.prove_passed(world.clock.now, over=IMPRINT, quorum=2, have=have)


def test_a_token_is_recalled_from_what_was_kept_and_from_nothing_else(world: TimeWorld) -> None:
    stamp = world.authorities.stamp(IMPRINT)
    world.line.is_cut = True
    recalled = world.authorities.recall(stamp.verified.token, stamp.evidence.encode(), over=IMPRINT)
    assert recalled.verified == stamp.verified


@pytest.mark.proves("TIME-08")
@pytest.mark.parametrize("off", [timedelta(seconds=3), timedelta(hours=-5)])
def test_the_distance_from_our_clock_is_measured_and_never_refuses(world: TimeWorld, off: timedelta) -> None:
    assert world.authorities.distance() is None
    world.a.ahead = off
    stamp = world.authorities.stamp(IMPRINT)
    assert stamp.distance == off
    assert world.authorities.distances() == {"Authority A": off}
    assert world.authorities.distance() == off


@pytest.mark.proves("TIME-08")
def test_one_lying_authority_does_not_make_our_clock_look_wrong(world: TimeWorld) -> None:
    world.a.ahead = timedelta(hours=3)
    world.authorities.stamp_by(IMPRINT, quorum=2)
    assert world.authorities.distance() == timedelta(0)


@pytest.mark.proves("TIME-08")
@pytest.mark.parametrize(("off", "alarms"), [(4, 0), (-4, 0), (6, 1), (-86_400, 1)])
def test_a_clock_that_is_more_than_five_seconds_off_raises_an_alarm(world: TimeWorld, off: int, alarms: int) -> None:
    world.a.ahead = timedelta(seconds=off)

    with capture_logs() as told:
        world.authorities.stamp(IMPRINT)

    assert [(one["event"], one["seconds"]) for one in told] == [("authority.distant", off)] * alarms


def deep(world: TimeWorld) -> tuple[SimulatedAuthority, TimeAuthorities]:
    """An authority whose certificate a CA between root and leaf issued, as those in use are."""
    authority = SimulatedAuthority("deep", world.clock, carried=("deep-ca",))
    asking = TimeAuthorities(
        [Authority("deep", authority.address)],
        line=SimulatedLine((authority,)),
        anchors=[pki.anchor("foreign")],
        clock=world.clock,
    )
    return authority, asking


@pytest.mark.proves("TIME-03")
def test_a_longer_chain_verifies_with_the_state_of_each_certificate_in_it(world: TimeWorld) -> None:
    _, asking = deep(world)
    stamp = asking.stamp(IMPRINT)
    assert len(stamp.evidence.ocsps) == 2
    judged = judge_token(stamp.verified.token, IMPRINT, anchors=[pki.anchor("foreign")], evidence=stamp.evidence)
    assert judged.anchor_hash == pki.anchor("foreign").hash
    halved = replace(stamp.evidence, ocsps=stamp.evidence.ocsps[:1])
    with pytest.raises(UnprovenTimestampError):
        judge_token(stamp.verified.token, IMPRINT, anchors=[pki.anchor("foreign")], evidence=halved)


@pytest.mark.proves("TIME-03")
def test_a_chain_with_a_missing_link_gives_no_token(world: TimeWorld) -> None:
    authority, asking = deep(world)
    authority.carried = ()
    with pytest.raises(AuthorityUnavailable, match="chain"):
        asking.stamp(IMPRINT)


@pytest.mark.proves("TIME-03")
def test_a_leaf_cannot_stand_in_for_a_ca() -> None:
    """The chain is followed only through certificates that may issue."""
    with pytest.raises(SignatureError):
        chain_to_anchor(
            [pki.certificate("tsa-deep"), pki.certificate("ocsp-deep"), pki.certificate("tsa-foreign")],
            anchors=[pki.anchor("foreign")],
        )


@dataclass
class ListeningLine(SimulatedLine):
    """A simulated line that writes down which addresses were asked."""

    addresses: list[str] = field(default_factory=list)

    def exchange(self, address: str, body: bytes | None, *, media_type: str, patience: timedelta) -> bytes:
        self.addresses.append(address)
        return super().exchange(address, body, media_type=media_type, patience=patience)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthorityAddresses]:
    authorities = Authorities(tmp_path_factory.mktemp("authorities"))
    yield authorities.start()
    authorities.stop()


@pytest.fixture(scope="module")
def asking(served: AuthorityAddresses) -> Iterator[TimeAuthorities]:
    with HttpLine() as line:
        yield TimeAuthorities(
            [Authority(one.name, one.address) for one in served.time],
            line=line,
            anchors=[anchor for one in served.time for anchor in read_anchors(one.anchor_pem)],
            clock=lambda: datetime.now(UTC),
        )


@pytest.mark.proves("TIME-03")
def test_served_authorities_give_tokens_that_verify(asking: TimeAuthorities) -> None:
    stamps: tuple[Stamp, ...] = asking.stamp_by(IMPRINT, quorum=2)
    assert {stamp.verified.anchor_hash for stamp in stamps} == {pki.anchor("a").hash, pki.anchor("b").hash}
    assert all(stamp.evidence.ocsps for stamp in stamps)


def test_the_time_of_served_authorities_cannot_be_moved_from_outside(served: AuthorityAddresses) -> None:
    request = build_request(IMPRINT)
    wanted = datetime(2031, 1, 1, tzinfo=UTC)
    response = httpx2.post(served.time[0].address, content=request.der, headers=ask_time(wanted), trust_env=False)
    token = token_of(response.content, request)
    chain = chain_to_anchor(token_certificates(token), anchors=pki.time_anchors())
    with HttpLine() as line:
        asking = TimeAuthorities([], line=line, anchors=pki.time_anchors(), clock=lambda: wanted)
        evidence = asking.revocation_evidence(chain)
    assert judge_token(token, IMPRINT, anchors=pki.time_anchors(), evidence=evidence).at.year < 2031


def test_the_seal_of_a_data_directory_signs_and_verifies_with_what_trust_holds(
    served: AuthorityAddresses, asking: TimeAuthorities, tmp_path: Path
) -> None:
    write_seal(served, tmp_path / "keys", passphrase=b"passphrase")
    write_trust(served, tmp_path / "trust")
    keys = tmp_path / "keys"
    seal = load_seal((keys / "seal.p8").read_bytes(), b"passphrase", (keys / "seal.pem").read_bytes())
    evidence = asking.seal_evidence(seal.chain)

    whole = sign_pdf(
        unsigned(), seal, stamp=asking.seal_time, at=datetime.now(UTC), reason="receipt", evidence=evidence
    )

    trust = tmp_path / "trust"
    time_anchors = [anchor for which in "ab" for anchor in read_anchors((trust / f"time-{which}.pem").read_bytes())]
    verified = verify_pdf(
        whole, seal_anchors=read_anchors((trust / "seal.pem").read_bytes()), time_anchors=time_anchors
    )
    assert verified.level == "B-LT"
    assert (keys / "seal.p8").stat().st_mode & 0o77 == 0


def test_a_second_start_serves_the_same_certificates_at_the_same_place(tmp_path: Path) -> None:
    authorities = Authorities(tmp_path)
    first = authorities.start()
    authorities.stop()
    second = authorities.start()
    authorities.stop()
    assert first == second
    assert read_certificates(second.seal_chain_pem)[0] != pki.certificate("seal")  # the port is in it


def test_an_address_where_nobody_answers_or_too_much_comes_back_is_no_answer(served: AuthorityAddresses) -> None:
    with HttpLine() as line:
        for address in ("http://127.0.0.1:9/", f"{served.base}/bidvault/nothing", "nonsense://"):
            with pytest.raises(AuthorityUnavailable):
                line.exchange(address, b"x", media_type="text/plain", patience=timedelta(seconds=2))
