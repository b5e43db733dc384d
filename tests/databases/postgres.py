"""A real PostgreSQL for tests: a new cluster in a private folder, on a Unix socket only, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


def _program(name: str) -> str | None:
    # Debian keeps one folder for each version, none of them in the PATH.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, folders)))


SERVER, INITDB = _program("postgres"), _program("initdb")
INSTALLED = SERVER is not None and INITDB is not None
PASSWORD = "geheim-4711"


class Postgres:
    """One server; `kill` it as a crash would, and `start` it again on its data."""

    def __init__(self) -> None:
        # Short, since the path of a socket may have 107 bytes; not pytest's folder, which root alone may enter.
        self.folder = Path(tempfile.mkdtemp(prefix="sfpg"))
        # initdb refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def conninfo(self) -> str:
        return f"host={self.folder} user=sf password={PASSWORD} dbname=postgres"

    @property
    def uri(self) -> str:
        return f"postgresql://sf:{PASSWORD}@/postgres?host={self.folder}"

    def start(self) -> None:
        """Start, and return when connections are taken."""
        data = self.folder / "data"
        if not data.exists():
            words = self.folder / "password"
            words.write_text(PASSWORD)
            words.chmod(0o644)
            self._run([INITDB, "-D", str(data), "-U", "sf", "-A", "md5", f"--pwfile={words}", "-E", "UTF8", "-N"])
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "fsync": "off"}
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [str(SERVER), "-D", str(data), *given],
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            start_new_session=True,
            **self._identity(),
        )
        # The last line of this file says "ready" once connections are taken.
        status = data / "postmaster.pid"
        while not (status.exists() and status.read_text().rstrip().endswith("ready")):
            assert self._process.poll() is None, "PostgreSQL did not start"

    def stop(self) -> None:
        """Stop at once, with all connections (SIGQUIT is the server's immediate shutdown)."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)

    def _run(self, command: list[str | None]) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._identity())

    def _identity(self) -> dict[str, object]:
        if self._user is None:
            return {}
        entry = pwd.getpwnam(self._user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
