# SPDX-License-Identifier: EUPL-1.2
"""The phrases of prints in English."""

from vault.prints.phrases import Phrases

ENGLISH = Phrases(
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    first_day="1",
    page="page",
    bytes_word="bytes",
    parts=("application", "technical offer", "financial offer", "identity"),
    receipt="Receipt for an envelope",
    withdrawal="Receipt for a withdrawal",
    registration="Registration notice for an envelope",
    closing="List of envelopes at the closing",
    supplementary="Supplementary list by decision",
    minutes="Minutes of the opening of envelopes",
    in_time=(
        "Received in time",
        (
            "The envelope arrived before the deadline. Unless it is withdrawn or replaced, it will stand on the "
            "list fixed "
            "at the closing."
        ),
    ),
    late=(
        "Received late",
        "The envelope arrived after the deadline. It is kept sealed and is not opened.",
    ),
    review=(
        "Received, deadline to be reviewed",
        (
            "The evidence of time does not suffice to say whether the envelope arrived in time. It is kept sealed "
            "and opens "
            "only by a signed decision of the key custodians."
        ),
    ),
    withdrawn=(
        "Envelope withdrawn",
        (
            "The withdrawal arrived in time. The envelope, and those that the same bidder deposited before it in "
            "the same "
            "box, will not be opened."
        ),
    ),
    withdrawn_late=(
        "Withdrawal late, without effect",
        "The withdrawal arrived after the deadline. The envelope stays deposited.",
    ),
    withdrawn_review=(
        "Withdrawal registered, deadline to be reviewed, without effect",
        (
            "The evidence of time does not suffice to say whether the withdrawal arrived in time. The envelope stays "
            "deposited."
        ),
    ),
    registered=(
        "Registered, receipt to follow",
        (
            "The envelope was received in full and kept. As no time authority answered, the receipt, which carries the "
            "verdict on the deadline, will follow and replace this notice."
        ),
    ),
    closed=(
        "List fixed and sealed",
        "The box is closed. This list is final: no envelope can be added to it or taken from it.",
    ),
    opened=("Envelopes opened", "All envelopes that were to be opened are open."),
    opened_partly=("Opening ended, with reservations", "Envelopes that could not be opened: {count}. See the list."),
    reasons=(
        "The time token, its accuracy included, is before the deadline.",
        "The last byte arrived before the deadline, and the token less than 30 seconds after it.",
        "Both the last byte and the time token are after the deadline.",
        "None of the rules that say “in time” or “late” applies.",
    ),
    test_only=("Test only", "No promise of secrecy. Test keys or test authorities: without value as evidence."),
    mentions="Particulars",
    depositor="1. Depositor",
    buyer="2. Buyer",
    consultation="3. Procedure",
    received="4. Date and time of reception",
    began="Upload began",
    deadline="Deadline",
    documents="5. Documents",
    documents_line="{count} in all, {total} bytes: detailed list below",
    lot="Lot {lot}, {part}",
    common_lot="Common to all lots, {part}",
    withdrawn_at="4. Date and time of withdrawal",
    withdrawn_envelope="5. Envelope withdrawn",
    list_heading="Detailed list of documents",
    number="No.",
    document="Document",
    size="Bytes",
    digest="SHA-256 digest",
    list_note="List supplied by the holder of this receipt and found exact, in names, sizes, digests and order, "
    "by the "
    "holder’s deposit secret. The vault keeps nothing of it.",
    proved="What is proved, and by whom",
    proved_reception="{service} attests by its signature (key {key}) that it received the envelope in full, "
    "sealed it, "
    "kept it and entered it in its journal before giving this receipt.",
    proved_withdrawal="{service} attests by its signature (key {key}) that it received this withdrawal and "
    "entered it in "
    "its journal before giving this receipt.",
    proved_registration="{service} attests by its signature (key {key}) that it received the envelope in full, "
    "sealed it, "
    "kept it and entered it in its journal.",
    proved_time=(
        "The time at which the record existed (digest “stamped record” below) is certified, independently of the "
        "vault, by: {authorities}."
    ),
    issued="Receipt given",
    proved_list="The list of documents is bound to the receipt: another list, or another order, would be refused.",
    proved_closing="{service} attests by its signature (key {key}) that it fixed this list. Deposit and closing "
    "exclude "
    "each other: each envelope is wholly before the closing or not on the list.",
    proved_minutes="{service} attests by its signature (key {key}) the course of this opening. Each envelope "
    "was compared "
    "byte by byte with the list fixed at the closing, and each document with its digest.",
    proved_seal="The PDF file carries the vault’s electronic seal (PAdES) and a time token: a byte changed or "
    "added shows.",
    secrecy="Secrecy of the envelope",
    secrecy_level="level {level}",
    level_words=(
        "Test only. No promise of secrecy.",
        (
            "Sealed by the vault, which read this bid once, in memory, while receiving it, and kept no readable "
            "copy. Since "
            "{committed} it can be read only by {k} of {n} custodians with the gate, after {not_before}, until its "
            "box is "
            "opened."
        ),
    ),
    one_custodian="Note: a single custodian suffices to open this box.",
    tokens="Time tokens",
    authority="Authority",
    certified="Certified time (UTC)",
    interval="Interval (UTC)",
    root="Root (SHA-256, start)",
    tokens_note="RFC 3161 tokens, verified: signature, usage, chain, revocation as of the certified time. The "
    "interval "
    "counts the stated accuracy, one second where none is stated.",
    identifiers="Identifiers and digests",
    envelope_id="Envelope",
    sealed_file="Sealed envelope, SHA-256",
    sealed_size="Size of the sealed envelope",
    record_imprint="Stamped record, SHA-256",
    policy="Policy at the deposit",
    judged_by="Policy of the verdict",
    statement="Signed statement",
    signed_by="Signature of the vault",
    journal_event="Journal",
    box="Box",
    epoch="epoch {epoch}",
    root_of_list="Root of the list",
    closed_at="Closed",
    count="Number of envelopes",
    entries="Envelopes listed",
    opening="Session",
    attempt="attempt {attempt}",
    began_at="Began",
    ended_at="Ended",
    custodians="Custodians who contributed",
    custodians_needed="{k} of {n} needed, {have} contributed",
    person="Person",
    organisation="Organisation",
    envelopes="Envelopes",
    bidder="Bidder",
    outcome="Outcome",
    outcomes=("opened", "failed", "not opened, shares missing"),
    left_out="left sealed by the buyer",
    none="No envelope.",
    read_documents="Documents found in the envelopes",
    check="How to check this document",
    check_text="Without network or account, today or in thirty years, with the trusted roots in a directory:",
    trust="roots",
    check_steps="The command reads the seal, takes out the attached files, checks signatures, tokens, chains and "
    "revocation, and says what it checked. Exit code 0: sound; 1: broken; 2: sound but unproven.",
    attached="Files attached to this PDF",
    file="File",
    content="Content",
    service="Service",
    service_text="{name}{nb}– {address}{nb}– telephone {telephone}",
    file_statement="the vault’s signed statement, which alone is authoritative",
    file_policy="signed policy, epoch {epoch}",
    file_evidence="policies, authorities, chains and revocation data",
    file_list="list fixed at the closing",
    file_stamp="RFC 3161 time token",
    file_opening="signed opening",
    unshown="Characters that the fonts of this document lack are shown by their number (‹U+4E2D›); the attached "
    "file has "
    "them as they are.",
    rest="And {count} more: all of them are in the attached file.",
    buyer_plain="Buyer",
    consultation_plain="Procedure",
    boxes="Boxes",
    policy_in_force="Policy in force",
    decision="Decision",
    keyed="Keyed",
    key="Key",
    unknown_person="person not in the policy",
    not_read="not read",
    found_line="documents: {count} ({total} bytes)",
    file_revocation="chain and revocation data of the token",
    file_closing="signed closing",
    vault="The vault",
    reason_line="reason: {reason}",
)
