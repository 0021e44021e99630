# SPDX-License-Identifier: EUPL-1.2
"""A stranger with a folder of loot: what of given secrets lies in it, in whatever form; imports nothing of ours.

Rules
  1. A secret is looked for as it is and as programs write it down: other encodings of text, hex, base64 at every
     alignment, escaped for JSON, for SQL and for addresses, upper and lower case.
  2. Whatever in the loot is compressed is looked into as well, and so are the names of the files.
  3. A search that finds nothing proves something only beside the same search that finds: whoever uses it shows both.

    python attacker.py LOOT SECRETS.json      prints what was found, as JSON; exit code 1 when anything was
"""

import base64
import json
import re
import sys
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SHORTEST = 6  # bytes of a form worth looking for: shorter ones lie about by chance
ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
LEAST_INFLATED = 12
MOST_INFLATED = 1 << 22
ZEROS = re.compile(rb"\x00{64,}")


@dataclass(frozen=True, order=True)
class Found:
    """One secret in one form in one place."""

    secret: str
    form: str
    place: str


def forms_of_bytes(secret: bytes) -> dict[str, bytes]:
    """How programs write bytes down."""
    found = {"as it is": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode()}
    found["hex, one by one"] = "\\x".join(f"{one:02x}" for one in secret).encode()
    found["python"] = repr(secret)[2:-1].encode()
    for shift in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            whole = encode(bytes(shift) + secret)
            found[f"{name} at {shift}"] = whole[(0, 2, 3)[shift] : len(whole) - (0, 3, 2)[(shift + len(secret)) % 3]]
    return found


def forms_of_text(secret: str) -> dict[str, bytes]:
    """How programs write text down."""
    found = {name: secret.encode(name, errors="ignore") for name in ("utf-16-le", "utf-16-be", "latin-1")}
    for form in ("NFC", "NFD"):
        found |= {
            f"{form} {name}": one for name, one in forms_of_bytes(unicodedata.normalize(form, secret).encode()).items()
        }
    found["json"] = json.dumps(secret)[1:-1].encode()
    found["json twice"] = json.dumps(json.dumps(secret)[1:-1])[1:-1].encode()
    found["address"] = quote(secret, safe="").encode()
    found["lower"], found["upper"] = secret.lower().encode(), secret.upper().encode()
    found["digits"] = re.sub(r"[^0-9]", "", secret).encode()
    return found


def forms(secret: str | bytes) -> dict[str, bytes]:
    """Every form of a secret that is long enough, each once."""
    named = forms_of_text(secret) if isinstance(secret, str) else forms_of_bytes(secret)
    first: dict[bytes, str] = {}
    for name, form in named.items():
        if len(form) >= SHORTEST:
            first.setdefault(form, name)
    return {name: form for form, name in first.items()}


def search(places: Iterable[tuple[str, bytes]], secrets: Mapping[str, str | bytes]) -> set[Found]:
    """What of the secrets lies in these places."""
    wanted = [(what, name, form) for what, secret in secrets.items() for name, form in forms(secret).items()]
    found = set()
    for place, data in places:
        for view in (place.encode(), ZEROS.sub(bytes(64), data), b"\n".join(inflated(data))):
            found |= {Found(what, name, place) for what, name, form in wanted if form in view}
    return found


def inflated(data: bytes) -> Iterator[bytes]:
    """Whatever in these bytes a program has compressed."""
    for mark in ZLIB.finditer(data):
        opener = zlib.decompressobj(47)  # zlib's head or gzip's
        try:
            plain = opener.decompress(memoryview(data)[mark.start() :], MOST_INFLATED)
        except zlib.error:
            continue
        if len(plain) >= LEAST_INFLATED:
            yield plain


def read(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the loot by its name, files that hold the same once."""
    seen = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if (content := hash(data)) not in seen or len(data) < LEAST_INFLATED:
                seen.add(content)
                yield str(path.relative_to(folder)), data


def main() -> None:
    """Search a folder for the secrets that a file names: `{what: text}`, bytes as `{what: {"hex": …}}`."""
    folder, wanted = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    secrets = {what: bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for what, one in wanted.items()}
    found = sorted(search(read(folder), secrets))
    sys.stdout.write(json.dumps([[one.secret, one.form, one.place] for one in found], ensure_ascii=False) + "\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
