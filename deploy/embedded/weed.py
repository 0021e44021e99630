# SPDX-License-Identifier: EUPL-1.2
"""The object store: `weed mini`, hardened, and the start that makes sure of it (storage.md 1).

Rules
  1. Every port is given and on loopback; HTTP side doors are shut, gRPC wants our certificate.
  2. Room is a ceiling of volumes, taken from the free disk.
  3. It is ready when a canary went in and came out again: listings answer before there is a volume.
  4. A volume whose index was torn by a power cut is not loaded: it is mended before anybody reads.
"""

import shutil
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
FEWEST_VOLUMES = 8
START_PATIENCE = 60.0
SWITCHED_OFF = (
    "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false",
    "-s3.allowDeleteBucketNotEmpty=false", "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
    "-filer.exposeDirectoryData=false", "-filer.disableDirListing", "-filer.tusBasePath=",
)  # fmt: skip


class EmbeddedStore:
    """One `weed mini` on `DATA/store`, its files in `DATA/conf`."""

    def __init__(self, directory: DataDirectory, ports: Mapping[str, int], *, pairs: Sequence[BucketPair]) -> None:
        """Name its place; nothing is touched before `start`."""
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
        self._run()
        torn = self._torn_volumes()
        if torn:
            self.stop()
            for collection, number in torn:
                self._mend(collection, number)
            self._run()

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

    def _volume_ceiling(self) -> int:
        """Half of what the disk could give it, counted in volumes."""
        volumes = list(self._directory.store.rglob("*.dat"))
        held = sum(path.stat().st_size for path in volumes)
        half = (shutil.disk_usage(self._directory.store).free + held) // 2
        return max(FEWEST_VOLUMES, len(volumes) + 2, half // (VOLUME_MEGABYTES * 1024 * 1024))

    def _answers(self) -> bool:
        """Whether the gateway listens and the volume server has loaded its volumes."""
        try:
            return httpx2.get(f"{self.endpoint}/status", timeout=2, trust_env=False).status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False

    def _torn_volumes(self) -> list[tuple[str, int]]:
        """Volumes that lie on the disk and that the volume server has not loaded."""
        stored = {_volume_of(path) for path in self._directory.store.rglob("*.dat")}
        give_up = time.monotonic() + 2
        while stored - (loaded := self._loaded_volumes()) and time.monotonic() < give_up:
            time.sleep(0.1)
        return sorted(stored - loaded)

    def _loaded_volumes(self) -> set[tuple[str, int]]:
        try:
            address = f"http://127.0.0.1:{self._ports['volume.port']}/status"
            status = httpx2.get(address, timeout=5, trust_env=False).json()
        except httpx2.HTTPError:
            return set()
        return {(str(volume["Collection"]), int(volume["Id"])) for volume in status.get("Volumes") or []}

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
