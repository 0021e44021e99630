# SPDX-License-Identifier: EUPL-1.2
"""The parts of a deposit's body, in their one order: the announcement, then each announced document.

Rules
  1. Pushed in as it comes, in whatever pieces; what comes out is the same for every way of cutting the same bytes.
  2. One part named `announcement`, then one named `document` per announced document; a part's filename, if it has one,
     is the announced path or its last step. Nothing before, between or after them but the line ends of multipart.
  3. A document is exactly as long as announced: longer is refused at the first byte too many.
  4. After a refusal the parser is of no use any more. Nothing is copied here, nothing is kept but the announcement.

Left to others: digests and limits (vault.deposit), waiting and threads (api.deposit.upload).
"""

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.deposit.announcement import ANNOUNCEMENT_LIMIT, read_announcement
from api.errors import AnnouncementRefused, BodyMalformed, NotMultipart
from vault.deposit.announcement import AnnouncedDocument, Piece
from vault.errors import BodyBroken, BodyMismatch

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

HEADER_COUNT = 8  # a part has Content-Disposition, perhaps Content-Type and Content-Length
HEADER_SIZE = 4096  # a path of 1024 bytes, percent-encoded, and its field
PLAIN_ENCODINGS = frozenset(
    {"", "7bit", "8bit", "binary"}
)  # RFC 7578 4.7: others are deprecated, and not the same bytes
_HTML_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}  # how HTML forms and HTTP clients write these in a filename


def boundary_of(content_type: str | None) -> bytes:
    """The boundary that a request's Content-Type names.

    Raises:
        NotMultipart: another type, or no boundary.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise NotMultipart
    return boundary


class PartsParser:
    """Cuts a body into its announcement and its documents."""

    def __init__(self, boundary: bytes) -> None:
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_to_field,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._take,
            "on_part_end": self._end_part,
            "on_end": self._end_body,
        }
        try:
            self._parser = MultipartParser(
                boundary, callbacks, max_header_count=HEADER_COUNT, max_header_size=HEADER_SIZE
            )
        except FormParserError as error:
            raise NotMultipart from error
        self.announcement: tuple[AnnouncedDocument, ...] | None = None
        self.has_ended = False
        self._announced = bytearray()
        self._pieces: list[Piece] = []
        self._index = -1  # -1: the announcement; else the document whose part it is
        self._received = 0
        self._field = bytearray()
        self._value = bytearray()
        self._headers: dict[str, str] = {}
        self._closing = b"\r\n--" + boundary + b"--"
        self._chunk = b""
        self._rest_at = 0  # where in the chunk its last data ends
        self._rest = b""  # what follows the last data, as much as is needed to see the closing boundary and two bytes
        self._is_empty = True

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next bytes; what they complete comes back as views into `data`.

        Raises:
            BodyMalformed, AnnouncementRefused, BodyMismatch: see the rules; the body is refused.
        """
        if not data:
            return []
        if self._is_empty and not data.startswith(b"-"):
            raise BodyMalformed("the body must begin with its boundary")
        self._is_empty = False
        self._pieces, self._chunk, self._rest_at = [], data, 0
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BodyMalformed("this is not multipart/form-data as its boundary says") from error
        self._chunk = b""
        self._rest = (self._rest + data[self._rest_at :])[: len(self._closing) + 3]
        if self.has_ended and not b"\r\n".startswith(self._rest[len(self._closing) :]):
            raise BodyMalformed("bytes follow the closing boundary")
        return self._pieces

    def finish(self) -> None:
        """The body has no more bytes.

        Raises:
            BodyBroken: its closing boundary has not come.
        """
        if not self.has_ended:
            raise BodyBroken("the body ends before its closing boundary")

    def _begin_part(self) -> None:
        self._headers = {}
        self._received = 0

    def _add_to_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        try:
            field, value = self._field.decode("ascii").lower(), self._value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BodyMalformed("a header of a part is not UTF-8") from error
        if field in self._headers:
            raise BodyMalformed("a header of a part comes twice")
        self._headers[field] = value
        self._field, self._value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        if self._headers.get("content-transfer-encoding", "").lower() not in PLAIN_ENCODINGS:
            raise BodyMalformed("a part has a transfer encoding; send its bytes as they are")
        name, filename = _disposition(self._headers.get("content-disposition", ""))
        if self.announcement is None:
            if name != "announcement":
                raise BodyMalformed("the first part must be named announcement")
            return
        document = self._document()
        if name != "document":
            raise BodyMalformed(f"part {self._index + 2} must be named document")
        if filename is not None and not _fits(filename, document.path):
            raise BodyMismatch(document.path, "another document was announced in this place")

    def _document(self) -> AnnouncedDocument:
        assert self.announcement is not None
        if self._index >= len(self.announcement):
            raise BodyMalformed("more documents than announced")
        return self.announcement[self._index]

    def _take(self, data: bytes, start: int, end: int) -> None:
        self._received += end - start
        self._rest = b""
        if data is self._chunk:  # else what seemed a boundary was not: the parser's own copy of it
            self._rest_at = end
        if self.announcement is None:
            if self._received > ANNOUNCEMENT_LIMIT:
                raise AnnouncementRefused("announcement", f"more than {ANNOUNCEMENT_LIMIT} bytes")
            self._announced += data[start:end]
            return
        document = self._document()
        if self._received > document.size:
            raise BodyMismatch(document.path, f"longer than the announced {document.size} bytes")
        self._pieces.append(Piece(self._index, memoryview(data)[start:end]))

    def _end_part(self) -> None:
        if self.announcement is None:
            self.announcement = read_announcement(self._announced)
            self._announced = bytearray()
        else:
            document = self._document()
            if self._received < document.size:
                raise BodyMismatch(document.path, f"{self._received} bytes instead of the announced {document.size}")
        self._index += 1

    def _end_body(self) -> None:
        self.has_ended = True
        if self.announcement is None:
            raise BodyMalformed("there is no announcement")
        missing = len(self.announcement) - self._index
        if missing:
            raise BodyMalformed(f"{missing} of the announced documents are missing")


def _disposition(value: str) -> tuple[str, str | None]:
    """The name and the filename of a part, undone of what clients do to quotes and line ends."""
    try:
        kind, options = parse_options_header(value.encode("utf-8").decode("latin-1"))
        name = options.get(b"name", b"").decode("utf-8")
        raw = options.get(b"filename")
        filename = None if raw is None else raw.decode("utf-8")
    except UnicodeError as error:
        raise BodyMalformed("the Content-Disposition of a part is not UTF-8") from error
    if kind != b"form-data":
        raise BodyMalformed("a part has no Content-Disposition: form-data")
    return name, filename


def _fits(filename: str, path: str) -> bool:
    """Whether a filename can stand for this path: itself or its last step, as written or percent-escaped."""
    undone = filename
    for escape, character in _HTML_ESCAPES.items():
        undone = undone.replace(escape, character)
    return not {filename, undone}.isdisjoint({path, path.rsplit("/", 1)[-1]})
