# SPDX-License-Identifier: EUPL-1.2
"""What a print says, phrase by phrase: a field of `Phrases` can be missing in no language.

Braces stand for what is filled in; `{nb}` is a space that does not break.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Phrases:
    """All phrases of one language; braces stand for what is filled in."""

    months: tuple[str, ...]
    first_day: str
    page: str
    bytes_word: str
    parts: tuple[str, ...]
    # titles
    receipt: str
    withdrawal: str
    registration: str
    closing: str
    supplementary: str
    minutes: str
    # verdicts, each with a head and a body
    in_time: tuple[str, str]
    late: tuple[str, str]
    review: tuple[str, str]
    withdrawn: tuple[str, str]
    withdrawn_late: tuple[str, str]
    withdrawn_review: tuple[str, str]
    registered: tuple[str, str]
    closed: tuple[str, str]
    opened: tuple[str, str]
    opened_partly: tuple[str, str]
    reasons: tuple[str, str, str, str]
    test_only: tuple[str, str]
    # the five mentions
    mentions: str
    depositor: str
    buyer: str
    consultation: str
    received: str
    began: str
    deadline: str
    documents: str
    documents_line: str
    lot: str
    common_lot: str
    withdrawn_at: str
    withdrawn_envelope: str
    # listing of documents
    list_heading: str
    number: str
    document: str
    size: str
    digest: str
    list_note: str
    # what is proved
    proved: str
    proved_reception: str
    proved_withdrawal: str
    proved_registration: str
    proved_time: str
    issued: str
    proved_list: str
    proved_closing: str
    proved_minutes: str
    proved_seal: str
    secrecy: str
    secrecy_level: str
    level_words: tuple[str, str]
    one_custodian: str
    # time tokens
    tokens: str
    authority: str
    certified: str
    interval: str
    root: str
    tokens_note: str
    # identifiers
    identifiers: str
    envelope_id: str
    sealed_file: str
    sealed_size: str
    record_imprint: str
    policy: str
    judged_by: str
    statement: str
    signed_by: str
    journal_event: str
    box: str
    epoch: str
    root_of_list: str
    # closing and minutes
    closed_at: str
    count: str
    entries: str
    opening: str
    attempt: str
    began_at: str
    ended_at: str
    custodians: str
    custodians_needed: str
    person: str
    organisation: str
    envelopes: str
    bidder: str
    outcome: str
    outcomes: tuple[str, str, str]
    left_out: str
    none: str
    read_documents: str
    # how to check, service
    check: str
    check_text: str
    trust: str
    check_steps: str
    attached: str
    file: str
    content: str
    service: str
    service_text: str
    file_statement: str
    file_policy: str
    file_evidence: str
    file_list: str
    file_stamp: str
    file_opening: str
    unshown: str
    rest: str
    buyer_plain: str
    consultation_plain: str
    boxes: str
    policy_in_force: str
    decision: str
    keyed: str
    key: str
    unknown_person: str
    not_read: str
    found_line: str
    file_revocation: str
    file_closing: str
    vault: str
    reason_line: str
