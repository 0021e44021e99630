# SPDX-License-Identifier: EUPL-1.2
"""The order of parts: what is let through, and everything that is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.deposit.announcement import ANNOUNCEMENT_LIMIT
from api.deposit.parts import PartsParser, boundary_of
from api.errors import AnnouncementRefused, ApiError, BodyMalformed, NotMultipart
from tests.api.multipart import BOUNDARY, CONTENT_TYPE, Sent, announcement, body, end, part
from vault.errors import BodyBroken, BodyMismatch, CallerError

PRICE = Sent("prix.txt", b"42\n")
MEMO = Sent("a/memo.txt", b"x" * 40)


def read(data: bytes, *, sizes: list[int] | None = None) -> list[tuple[int, bytes]]:
    """Feed a body, cut as told, and collect each document's bytes."""
    parser = PartsParser(BOUNDARY.encode())
    documents: list[tuple[int, bytes]] = []
    position = 0
    for size in [*(sizes or []), len(data)]:
        for piece in parser.feed(data[position : position + size]):
            if not documents or documents[-1][0] != piece.document:
                documents.append((piece.document, b""))
            documents[-1] = (piece.document, documents[-1][1] + piece.data.tobytes())
        position += size
    parser.finish()
    return documents


def refusal(data: bytes, *, sizes: list[int] | None = None) -> str:
    """The word by which this body is refused."""
    with pytest.raises((ApiError, CallerError)) as caught:
        read(data, sizes=sizes)
    return f"{caught.type.__name__}: {caught.value}"


def test_documents_come_out_in_their_order() -> None:
    assert read(body([PRICE, MEMO])) == [(0, PRICE.content), (1, MEMO.content)]


@given(
    contents=st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=300), st.sampled_from([b"\r\n--b0undary", b"--b0undary--", b"\r\n--"])
        ),
        min_size=1,
        max_size=4,
    ).filter(lambda contents: not any(b"\r\n--b0undary" in content for content in contents)),
    sizes=st.lists(st.integers(0, 120), max_size=60),
)
def test_every_way_of_cutting_a_body_gives_the_same_documents(contents: list[bytes], sizes: list[int]) -> None:
    documents = [Sent(f"{number}.bin", content) for number, content in enumerate(contents)]

    assert read(body(documents), sizes=sizes) == list(enumerate(contents))


@pytest.mark.proves("DEP-18")
@pytest.mark.parametrize("data", [b"[]", b'[{"path":"a","size":0}]'])
def test_nothing_and_empty_documents_are_refused_at_the_announcement(data: bytes) -> None:
    assert refusal(part("announcement", data)[:-2] + b"\r\n" + end()).startswith("AnnouncementRefused")


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "announcement"),
        (b"{}", "announcement"),
        (b"\xff\xfe", "announcement"),
        (b'[{"size":1}]', "announcement.0.path"),
        (b'[{"path":"","size":1}]', "announcement.0.path"),
        (b'[{"path":"a"}]', "announcement.0.size"),
        (b'[{"path":"a","size":"1"}]', "announcement.0.size"),
        (b'[{"path":"a","size":1.0}]', "announcement.0.size"),
        (b'[{"path":"a","size":true}]', "announcement.0.size"),
        (b'[{"path":"a","size":-1}]', "announcement.0.size"),
        (b'[{"path":"a","size":1e400}]', "announcement.0.size"),
        (b'[{"path":"a","size":99999999999999999999}]', "announcement.0.size"),
        (b'[{"path":"a","size":1,"sha256":"AB"}]', "announcement.0.sha256"),
        (b'[{"path":"a","size":1,"secret-member":2}]', "announcement.0:"),
    ],
)
def test_an_announcement_that_is_not_one_is_refused_at_its_place(data: bytes, place: str) -> None:
    said = refusal(part("announcement", data) + end())

    assert said.startswith(f"AnnouncementRefused: {place}")
    assert "secret-member" not in said


def test_an_endless_announcement_is_refused_while_it_comes() -> None:
    parser = PartsParser(BOUNDARY.encode())
    parser.feed(part("announcement", b"[")[:-2])
    taken = 0

    def feed_on() -> None:
        nonlocal taken
        while True:
            parser.feed(b" " * 65536)
            taken += 65536

    with pytest.raises(AnnouncementRefused):
        feed_on()
    assert taken <= ANNOUNCEMENT_LIMIT


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (part("document", b"x") + end(), "first part"),
        (end(), "no announcement"),
        (b"\r\n" + body([PRICE]), "must begin with its boundary"),
        (b"preamble\r\n" + body([PRICE]), "must begin with its boundary"),
        (b"--other\r\n", "as its boundary says"),
        (part("announcement", announcement([PRICE])) + end(), "1 of the announced documents are missing"),
        (
            part("announcement", announcement([PRICE])) + part("annexe", b"42\n") + end(),
            "part 2 must be named document",
        ),
        (body([PRICE])[: -len(end())] + part("document", b"x") + end(), "more documents than announced"),
        (body([PRICE]) + b"x", "bytes follow"),
        (body([PRICE]) + b"\r\n", "bytes follow"),
        (part("announcement", announcement([PRICE]), headers=b"Content-Transfer-Encoding: base64\r\n"), "encoding"),
        (part("announcement", b"[]", headers=b"Content-Type: a\r\ncontent-type: b\r\n"), "twice"),
        (part("announcement", b"[]", headers=b"X: \xff\r\n"), "not UTF-8"),
        (part("announcement", b"[]", headers=b"X: " + b"x" * 5000 + b"\r\n"), "as its boundary says"),
        (part("announcement", b"[]", headers=b"".join(b"X-%d: x\r\n" % n for n in range(9))), "as its boundary says"),
        (b"--b0undary\r\n\r\nx\r\n" + end(), "Content-Disposition"),
        (b'--b0undary\r\nContent-Disposition: attachment; name="announcement"\r\n\r\n', "Content-Disposition"),
    ],
)
def test_parts_out_of_order_are_refused(data: bytes, word: str) -> None:
    for sizes in ([], [1] * len(data), [7] * len(data)):
        said = refusal(data, sizes=sizes)
        assert said.startswith("BodyMalformed")
        assert word in said


@pytest.mark.parametrize("content", [b"42", b"42\n\n", b"4"])
def test_a_document_of_another_length_than_announced_is_refused_by_its_path(content: bytes) -> None:
    data = part("announcement", announcement([PRICE])) + part("document", content) + end()
    for sizes in ([], [1] * len(data)):
        with pytest.raises(BodyMismatch) as caught:
            read(data, sizes=sizes)
        assert caught.value.path == "prix.txt"


@pytest.mark.parametrize("filename", ["memo.txt", "a/memo.txt"])
def test_a_filename_may_be_the_path_or_its_last_step(filename: str) -> None:
    first = part("announcement", announcement([MEMO]))
    assert read(first + part("document", MEMO.content, filename=filename) + end()) == [(0, MEMO.content)]


@pytest.mark.parametrize(("path", "filename"), [('a"b.txt', "a%22b.txt"), ("été.txt", "été.txt"), ('a"b', 'a\\"b')])
def test_filenames_are_undone_of_what_clients_do_to_them(path: str, filename: str) -> None:
    first = part("announcement", announcement([Sent(path, b"1")]))
    assert read(first + part("document", b"1", filename=filename) + end()) == [(0, b"1")]


def test_documents_in_another_order_than_announced_are_refused() -> None:
    twin = Sent("autre.txt", b"43\n")
    first = part("announcement", announcement([PRICE, twin]))
    swapped = part("document", twin.content, filename=twin.path) + part("document", PRICE.content, filename=PRICE.path)

    assert refusal(first + swapped + end()).startswith("BodyMismatch: prix.txt")


def test_a_body_cut_anywhere_is_broken_or_refused_and_never_whole() -> None:
    whole = body([PRICE, MEMO])
    for length in range(len(whole) - 2):
        with pytest.raises(BodyBroken):
            read(whole[:length])


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=x",
        "multipart/form-data; boundary=",
    ],
)
def test_other_content_types_are_refused(content_type: str | None) -> None:
    with pytest.raises(NotMultipart):
        boundary_of(content_type)


def test_a_boundary_may_be_quoted_but_not_endless() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    assert boundary_of(CONTENT_TYPE) == BOUNDARY.encode()
    with pytest.raises(NotMultipart):
        PartsParser(b"x" * 300)


def test_a_refusal_names_no_content_but_the_path() -> None:
    said = refusal(part("announcement", b'[{"path":"prix 42 euros.txt","size":"drei"}]') + end())

    assert "42" not in said
    assert "drei" not in said


def test_an_empty_piece_changes_nothing() -> None:
    parser = PartsParser(BOUNDARY.encode())
    assert parser.feed(b"") == []
    assert [piece.data for piece in parser.feed(body([PRICE]))] == [PRICE.content]


def test_a_refused_body_says_how() -> None:
    with pytest.raises(BodyMalformed) as caught:
        read(end())
    assert caught.value.reason == "there is no announcement"
