# SPDX-License-Identifier: EUPL-1.2
"""Everything a thief of a whole deployment takes, written into one folder as files.

    files/       the data directory: the database's own files and write-ahead log, the store's, keys, settings, logs
    dump/        every database of the cluster and its roles, the statistics of tables, the pages in the log unpacked
    buckets/     each object of both buckets under its name, and what the store says of it
    processes/   environment and command line of every process
    asked/       what the API tells an operator: metrics, readiness, limits

Left to others: what is looked for in it (tests.attacks.attacker, which knows nothing of ours).
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import psutil
from botocore.config import Config
from psycopg import sql

from api.auth import Role
from deploy.embedded.programs import postgres_programs
from tests.attacks.running import Running

STATISTICS = (
    "pg_stat_all_tables",
    "pg_stat_all_indexes",
    "pg_statio_all_tables",
    "pg_stat_database",
    "pg_stat_wal",
    "pg_stat_activity",
    "pg_locks",
    "pg_stats",
    "pg_sequences",
)
ASKED = ("metrics", "readyz", "livez", "v1/limits", "openapi.json")


def take(running: Running, folder: Path) -> Path:
    """Steal it all."""
    folder.mkdir()
    _dump(running, folder / "dump")
    _buckets(running, folder / "buckets")
    _processes(running, folder / "processes")
    _asked(running, folder / "asked")
    _files(running.vault.directory.root, folder / "files")
    _unpack_log(running, folder)
    return folder


def memory(pid: int) -> Iterator[tuple[str, bytes]]:
    """What a process holds in memory, as root may read it."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as held:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            first, last = (int(one, 16) for one in span.split("-"))
            if rights.startswith("rw") and first < 1 << 47:
                with suppress(OSError):
                    held.seek(first)
                    yield span, held.read(last - first)


def _dump(running: Running, folder: Path) -> None:
    folder.mkdir()
    where = running.superuser
    command = [str(postgres_programs() / "pg_dumpall"), "--file", str(folder / "cluster.sql")]
    subprocess.run(command, check=True, capture_output=True, env={"PATH": os.environ["PATH"], **where})
    with running.connected() as connection:
        connection.execute("CHECKPOINT")
        for view in STATISTICS:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(view))).fetchall()
            (folder / view).write_text("\n".join(map(repr, rows)))


def _unpack_log(running: Running, folder: Path) -> None:
    """Page images in the write-ahead log are compressed: PostgreSQL's own tool takes them out."""
    log = folder / "files" / "postgres" / "pg_wal"
    for segment in sorted(one for one in log.iterdir() if len(one.name) == 24):
        pages = folder / "dump" / f"pages-{segment.name}"
        command = [
            str(postgres_programs() / "pg_waldump"),
            f"--save-fullpage={pages}",
            f"--start={running.began_at}",
            str(segment),
        ]
        told = subprocess.run(command, check=False, capture_output=True)  # it ends where the log ends
        (folder / "dump" / f"records-{segment.name}").write_bytes(told.stdout)


def _buckets(running: Running, folder: Path) -> None:
    for name in ("objects", "key_store"):
        target = folder / name
        target.mkdir(parents=True)
        facts = []
        for key, body, fact in _objects(running, name):
            (target / key.replace("/", "@")).write_bytes(body)
            facts.append(fact)
        (folder / f"{name}.json").write_text(json.dumps(facts, default=str, indent=1))


def _objects(running: Running, name: str) -> Iterator[tuple[str, bytes, dict[str, object]]]:
    settings = running.works.settings
    access = settings.objects if name == "objects" else settings.key_store
    client = boto3.client(
        "s3", endpoint_url=settings.s3_endpoint, region_name="us-east-1", aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key.get_secret_value(), config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=access.bucket):
        for one in page.get("Contents", []):
            got = client.get_object(Bucket=access.bucket, Key=one["Key"])
            body = got["Body"].read()
            told = {name: value for name, value in got.items() if name not in ("Body", "ResponseMetadata")}
            yield one["Key"], body, {**one, **told}


def _processes(running: Running, folder: Path) -> None:
    folder.mkdir()
    root = str(running.vault.directory.root)
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        if root in " ".join(process.info["cmdline"] or []) or (process.info["cwd"] or "").startswith(root):
            for name in ("environ", "cmdline", "status", "limits"):
                with suppress(OSError):  # it has gone; or it lets nobody look but root
                    (folder / f"{process.pid}-{name}").write_bytes(Path(f"/proc/{process.pid}/{name}").read_bytes())


def _asked(running: Running, folder: Path) -> None:
    folder.mkdir()
    headers = {"Authorization": f"Bearer {running.bearer(Role.OPERATOR)}"}
    for path in ASKED:
        answer = running.http.get(f"/{path}", headers=headers)
        (folder / path.replace("/", "-")).write_bytes(answer.content)


def _files(root: Path, folder: Path) -> None:
    """Copy what lies there; files of a living database and store come and go meanwhile."""
    for place, _, names in os.walk(root):
        target = folder / Path(place).relative_to(root)
        target.mkdir(parents=True)
        for name in names:
            if (Path(place) / name).is_file():
                with suppress(FileNotFoundError):
                    shutil.copyfile(Path(place) / name, target / name)
