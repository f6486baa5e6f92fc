"""What `ganvas studio` was asked for."""

from __future__ import annotations

import dataclasses
import ipaddress
import secrets
from pathlib import Path

from ganvas.errors import UsageError
from ganvas.files import write_text

PORT = 8790
STUDIO_FOLDER = ".studio"  # the studio's own folder among the runs
TOKEN_BYTES = 32  # 256 bits
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclasses.dataclass(frozen=True)
class StudioConfig:
    """One studio: which runs it shows, and where it listens."""

    runs: Path
    host: str = "127.0.0.1"
    port: int = PORT
    data: tuple[Path, ...] = ()
    """Folders and files of this machine that trainings may use, beside what is dropped on the page."""
    names: tuple[str, ...] = ()
    """Further host names under which a browser may ask for the page, where `host` is not loopback."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port must be from 0 to 65535 (got {self.port})")
        for path in self.data:
            if not path.exists():
                raise UsageError(f"--data {path} does not exist: name a folder or a file of images, sounds or text")
        if self.runs.exists() and not self.runs.is_dir():
            raise UsageError(f"{self.runs} is a file: name the folder in which the runs are, such as runs")
        if not self.is_loopback and not self.names and self.host in ("0.0.0.0", "::"):
            raise UsageError(
                f"--host {self.host} listens on every address, so the page needs to know its own names: give each by --name,"
                " such as --name studio.local"
            )

    @property
    def folder(self) -> Path:
        """Where queue, uploads and results are kept."""
        return self.runs / STUDIO_FOLDER

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def allowed_hosts(self, port: int) -> frozenset[str]:
        """The Host headers that are answered; any other is a web page that was bound to this address (DNS rebinding)."""
        own = (*self.names, f"[{self.host}]" if ":" in self.host else self.host)
        if self.is_loopback:
            own = LOOPBACK_NAMES
        hosts = {f"{name}:{port}".lower() for name in own}
        if port == 80:
            hosts |= {name.lower() for name in own}
        return frozenset(hosts)

    def token(self) -> str | None:
        """What a browser or program elsewhere must know, from a file that only this user reads; None on loopback."""
        if self.is_loopback:
            return None
        path = self.folder / "token"
        if not path.is_file():
            write_text(path, secrets.token_urlsafe(TOKEN_BYTES))
            path.chmod(0o600)
        token = path.read_text(encoding="utf-8").strip()
        if len(token) < 4 * TOKEN_BYTES / 3 - 1:
            raise UsageError(f"{path} holds no token of {8 * TOKEN_BYTES} bits: remove the file, and a new one is made")
        return token
