"""A real nginx for tests: started on a free port, with one location for each way to serve a file."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

# Debian puts it where a user's PATH may not look.
PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_CONFIG = """
{user}
pid nginx.pid;
error_log stderr crit;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    log_format short '$request_method $uri $status $bytes_sent "$http_range" $connection';
    # Only who asks for all of a file waits for it: the rest after a drop comes at once.
    map $http_range $slowly {{ "" 256k; default 0; }}
    access_log access.log short;
    access_log combined.log combined;
    default_type text/csv;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};{ipv6}
        location /plain/ {{ alias {files}/; }}
        location /chunked/ {{ alias {files}/; ssi on; ssi_types *; }}
        location /gzip/ {{ alias {files}/; gzip on; gzip_types *; gzip_min_length 1; }}
        location /labelled/ {{ alias {files}/; add_header Content-Encoding gzip; }}
        location /packed/ {{ alias {files}/; gzip_static always; }}
        location /slow/ {{ alias {files}/; limit_rate_after 512k; limit_rate $slowly; }}
        location /whole/ {{ alias {files}/; max_ranges 0; }}
        location /private/ {{ alias {files}/; auth_basic "x"; auth_basic_user_file passwords; }}
        location /moved/ {{ rewrite ^/moved/(.*)$ /plain/$1 redirect; }}
        location /busy/ {{ return 503; }}
    }}
}}
"""


class Nginx:
    """One nginx, whose files are those of `folder`; may be stopped and started again on its port."""

    def __init__(self, folder: Path, files: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        user = "user root;" if os.getuid() == 0 else ""
        self.hosts = ["127.0.0.1", "::1"] if _has_ipv6() else ["127.0.0.1"]
        ipv6 = f" listen [::1]:{self.port};" if "::1" in self.hosts else ""
        (folder / "nginx.conf").write_text(_CONFIG.format(user=user, port=self.port, ipv6=ipv6, files=files))
        # user "me", password "geheim"
        (folder / "passwords").write_text("me:{PLAIN}geheim\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and return when connections are taken."""
        assert PROGRAM is not None
        command = [PROGRAM, "-p", str(self.folder), "-c", "nginx.conf", "-g", "daemon off;", "-e", "stderr"]
        # A session of its own, so that a kill reaches the workers too.
        self._process = subprocess.Popen(command, start_new_session=True)
        while True:
            assert self._process.poll() is None, "nginx did not start"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except ConnectionRefusedError:
                continue

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop at once, with all connections (SIGTERM is nginx's fast shutdown)."""
        assert self._process is not None
        if number == signal.SIGKILL:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)
        self._process.wait(10)

    def log(self) -> list[str]:
        """Return a line for each finished request."""
        return (self.folder / "access.log").read_text().splitlines()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
