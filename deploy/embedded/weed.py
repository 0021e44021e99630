# SPDX-License-Identifier: EUPL-1.2
"""The object store: `weed mini`, hardened, and the start that makes sure of it (storage.md 1).

Rules
  1. Every port is given and on loopback; HTTP side doors are shut, gRPC wants our certificate.
  2. Room is a ceiling of volumes, from the quota or the free disk; before it is reached the vault refuses (barrier).
  3. It is ready when a canary went in and came out again: listings answer before there is a volume.
  4. A volume whose index was torn by a power cut is not loaded: it is mended before anybody reads.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from deploy.embedded.child import Child, Launch
from deploy.embedded.directory import DataDirectory
from deploy.embedded.programs import weed_program
from deploy.embedded.weed_files import IDENTITIES, BucketPair, write_store_files
from deploy.errors import PartFailed

PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
    "s3.port", "s3.port.grpc", "admin.port", "admin.port.grpc",
)  # fmt: skip
VOLUME_MEGABYTES = 1024
VOLUME_BYTES = VOLUME_MEGABYTES * 1024 * 1024
SUPERBLOCK = 8  # bytes that every volume's data begins with
SPARE_VOLUMES = 4
FEWEST_VOLUMES = 8
START_PATIENCE = 60.0
SERVERS = ("master", "filer")  # that the store's shell talks to
SHELL_PATIENCE = 120.0
SETTLE = 2.0  # seconds in which a deletion that was acknowledged reaches its volume
MOST_COMPACTIONS = 10
LEAST_GARBAGE = 0.000001  # share of a volume that is worth compacting: any
SWITCHED_OFF = (
    "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false",
    "-s3.allowDeleteBucketNotEmpty=false", "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
    "-filer.exposeDirectoryData=false", "-filer.disableDirListing", "-filer.tusBasePath=",
)  # fmt: skip


class EmbeddedStore:
    """One `weed mini` on `DATA/store`, its files in `DATA/conf`."""

    def __init__(
        self,
        directory: DataDirectory,
        ports: Mapping[str, int],
        *,
        pairs: Sequence[BucketPair],
        quota: int | None = None,
    ) -> None:
        """Name its place, and how many bytes it may take there; nothing is touched before `start`."""
        self._quota = quota
        self._directory = directory
        self._ports = ports
        self._pairs = pairs
        self.secrets = {name: directory.secrets(IDENTITIES)[name] for name in IDENTITIES}
        self._child: Child | None = None

    @property
    def endpoint(self) -> str:
        """Where S3 is spoken."""
        return f"http://127.0.0.1:{self._ports['s3.port']}"

    def start(self) -> None:
        """Write its files, start it, mend what a power cut tore, and wait until S3 answers."""
        write_store_files(self._directory.conf, self.secrets, self._pairs)
        self._forget_unmade_volumes()
        self._run()
        torn = self._torn_volumes()
        if torn:
            self.stop()
            for collection, number in torn:
                self._mend(collection, number)
            self._run()
            self._require_whole()

    def stop(self) -> None:
        """End it; a full store may not listen, then it is killed, which loses nothing."""
        if self._child is not None:
            self._child.stop()
            self._child = None
            self._forget_sockets()

    def require_running(self) -> None:
        """Raise PartFailed when it has ended."""
        if self._child is not None:
            self._child.require_running()

    def compact(self, collection: str) -> None:
        """Copy what is alive of a bucket's volumes, so that nothing deleted is left in a file.

        A deletion reaches its volume a moment after it was acknowledged: it is done when none follows.

        Raises:
            PartFailed: the store's shell failed, or deletions go on.
        """
        for _ in range(MOST_COMPACTIONS):
            self._shell("lock", f"volume.vacuum -collection={collection} -garbageThreshold={LEAST_GARBAGE}", "unlock")
            time.sleep(SETTLE)
            if not self._has_garbage(collection):
                return
        raise PartFailed(f"keys are being deleted all the time: {collection} could not be compacted; ask again")

    def _shell(self, *commands: str) -> None:
        """The store's own shell, with the certificate that only its supervisor has."""
        master, filer = (f"127.0.0.1:{self._ports[f'{one}.port']}.{self._ports[f'{one}.port.grpc']}" for one in SERVERS)
        conf = self._directory.conf
        try:
            said = subprocess.run(  # noqa: S603 - the command is ours, no shell
                [str(weed_program()), "shell", f"-master={master}", f"-filer={filer}"],
                input="".join(f"{command}\n" for command in [*commands, "exit"]),
                text=True, capture_output=True, check=True, timeout=SHELL_PATIENCE, cwd=conf, env={"HOME": str(conf)},
            )  # fmt: skip
        except (subprocess.SubprocessError, OSError) as error:
            raise PartFailed(f"the object store's shell did not end well: {error}") from error
        if "error:" in said.stdout + said.stderr:
            raise PartFailed(f"the object store's shell says: {(said.stdout + said.stderr).strip()}")

    def _run(self) -> None:
        self._forget_sockets()
        self._child = Child(
            Launch(
                name="the object store",
                command=self._command(),
                log=self._directory.logs / "weed.log",
                directory=self._directory.conf,  # where weed looks for security.toml
                environment={
                    "HOME": str(self._directory.conf),
                    "GOGC": "off",
                    "GOMEMLIMIT": "600MiB",  # 430 MB instead of 600 under a long upload, at the same speed
                },
            )
        )
        give_up = time.monotonic() + START_PATIENCE
        while not self._answers():
            self._child.require_running()
            if time.monotonic() > give_up:
                tail = self._child.log_tail()
                self.stop()
                raise PartFailed(f"the object store does not answer; its log ends with:\n{tail}")
            time.sleep(0.05)

    def _command(self) -> list[str]:
        return [
            str(weed_program()), "-logtostderr=true", "mini", f"-dir={self._directory.store}", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", "-disableHttp", *(f"-{name}={port}" for name, port in self._ports.items()),
            f"-s3.config={self._directory.conf / 's3.json'}", *SWITCHED_OFF,
            # Relative to the working directory: a socket's path may not be longer than 107 bytes.
            "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock",
            f"-master.volumeSizeLimitMB={VOLUME_MEGABYTES}", f"-volume.max={self._volume_ceiling()}",
            "-volume.preStopSeconds=1",
        ]  # fmt: skip

    @property
    def room(self) -> int:
        """Bytes that the vault may fill: the quota, or half of what the disk could give."""
        if self._quota is not None:
            return self._quota
        held = sum(path.stat().st_size for path in self._directory.store.rglob("*.dat"))
        return (shutil.disk_usage(self._directory.store).free + held) // 2

    def _volume_ceiling(self) -> int:
        """Volumes for that room, and a few more: the store fills several at once, and the vault must refuse first."""
        there = len(list(self._directory.store.rglob("*.dat")))
        return max(FEWEST_VOLUMES, there + 2, -(-self.room // VOLUME_BYTES) + SPARE_VOLUMES)

    def _answers(self) -> bool:
        """Whether the gateway listens and the volume server has loaded its volumes."""
        try:
            return httpx2.get(f"{self.endpoint}/status", timeout=2, trust_env=False).status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False

    def _forget_unmade_volumes(self) -> None:
        """Remove volumes whose very first bytes a power cut kept from the disk: they hold nothing.

        A volume is made before its first object, and both are on the disk only after the flush that the object's
        acknowledgement waits for. The store neither loads such a volume nor mends it, and would never start again.
        """
        for path in self._directory.store.rglob("*.dat"):
            if path.stat().st_size < SUPERBLOCK:
                for suffix in (".idx", ".vif", ".dat"):  # the data last: killed between, the next start goes on
                    path.with_suffix(suffix).unlink(missing_ok=True)

    def _torn_volumes(self) -> list[tuple[str, int]]:
        """Volumes that lie on the disk and that the volume server has not loaded."""
        stored = {_volume_of(path) for path in self._directory.store.rglob("*.dat")}
        give_up = time.monotonic() + 2
        while stored - (loaded := self._loaded_volumes()) and time.monotonic() < give_up:
            time.sleep(0.1)
        return sorted(stored - loaded)

    def _require_whole(self) -> None:
        """Do not serve bids of which some are missing."""
        if torn := self._torn_volumes():
            names = ", ".join(f"volume {number} of {collection}" for collection, number in torn)
            self.stop()
            raise PartFailed(
                f"{names} in {self._directory.store} cannot be read, and mending did not help: restore the directory "
                "from its backup; nothing was changed but the indexes"
            )

    def _loaded_volumes(self) -> set[tuple[str, int]]:
        try:
            return {(str(volume["Collection"]), int(volume["Id"])) for volume in self._volumes()}
        except httpx2.HTTPError:
            return set()

    def _volumes(self) -> list[dict[str, str | int]]:
        """What the volume server says of its volumes."""
        address = f"http://127.0.0.1:{self._ports['volume.port']}/status"
        return list(httpx2.get(address, timeout=5, trust_env=False).json().get("Volumes") or [])

    def _has_garbage(self, collection: str) -> bool:
        try:
            found = self._volumes()
        except httpx2.HTTPError as error:
            raise PartFailed(f"the object store does not say what it holds: {error}") from error
        return any(volume["DeleteCount"] for volume in found if volume["Collection"] == collection)

    def _mend(self, collection: str, number: int) -> None:
        """`weed fix` builds the index anew from the volume's own data."""
        launch = Launch(
            name="mending the object store",
            command=[
                str(weed_program()), "fix", f"-collection={collection}", f"-volumeId={number}",
                str(self._directory.store),
            ],
            log=self._directory.logs / "weed.log",
            directory=self._directory.conf,
            environment={"HOME": str(self._directory.conf)},
        )  # fmt: skip
        if (status := Child(launch).wait()) != 0:
            raise PartFailed(f"volume {number} of {collection} could not be mended (status {status}); see {launch.log}")

    def _forget_sockets(self) -> None:
        """Unlink what a killed weed leaves in the temporary folder: only what carries one of our ports."""
        for port in self._ports.values():
            for socket in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                socket.unlink(missing_ok=True)


def _volume_of(path: Path) -> tuple[str, int]:
    """`vault_3.dat` is volume 3 of the collection vault."""
    collection, _, number = path.stem.rpartition("_")
    return collection, int(number)
