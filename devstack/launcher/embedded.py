"""The private Postgres and Valkey of `make run` and of the tests: unix sockets only, in one data folder."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from devstack.launcher.binaries import (
    EmbeddedError,
    ServiceUser,
    clean_env,
    die_with_parent,
    find_postgres,
    find_valkey,
    popen_as,
    reachable,
    system_dir,
)

__all__ = ["Embedded", "EmbeddedError", "Urls"]

START_SECONDS = 60.0  # a crashed database replays its log first
STOP_SECONDS = 20.0
# The kernel's limit for a socket's path is 107 bytes (103 on macOS); ".s.PGSQL.5432.lock" follows.
_LONGEST_FOLDER = 80
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True)
class Urls:
    """Addresses of what was started; empty for a server that was not asked for."""

    database_url: str
    redis_url: str


class Embedded:
    """A Postgres and a Valkey that live as long as this object's ``start`` … ``stop``.

    ``durable=False`` trades safety for speed (tests). One process at a time may use a folder.
    """

    def __init__(
        self, data_dir: Path, *, durable: bool = True, postgres: bool = True, valkey: bool = True
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.durable = durable
        self._wanted = {"postgres": postgres, "valkey": valkey}
        self._user = ServiceUser.needed()
        self._lock: IO[str] | None = None
        self._state = self.data_dir
        self._sockets = self.data_dir
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}

    # --- what callers use

    def claim(self) -> None:
        """Keep every other process out of the folder until ``stop``; refuses when one is in it."""
        if self._lock is None:
            self._lock = self._take_lock()

    def start(self) -> Urls:
        """Start the servers (on existing data where there is some) and wait until both answer."""
        self.claim()
        try:
            self._place_folders()
            if self._wanted["postgres"]:
                self._prepare_postgres()
            if self._wanted["valkey"]:
                self._prepare_valkey()
            for name in self._commands:
                self._launch(name)
            for name in self._commands:
                self._wait_until_ready(name)
        except BaseException:
            self.stop()
            raise
        return Urls(
            database_url=f"postgres://app@/app?host={self._sockets}" if self._wanted["postgres"] else "",
            redis_url=f"unix://{self._sockets}/valkey.sock?db=0" if self._wanted["valkey"] else "",
        )

    def stop(self) -> None:
        """Stop both servers, waiting for a clean end; harmless when nothing runs."""
        for name, process in self._running.items():
            if process.poll() is None:
                process.send_signal(self._polite_signal(name))
        for process in self._running.values():
            for harder in (signal.SIGQUIT, signal.SIGKILL):
                try:
                    process.wait(STOP_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(harder)
            process.wait()
        self._running.clear()
        if self._lock is not None:
            if self._sockets.parent == Path("/tmp"):  # noqa: S108  (ours, and checked to be)
                shutil.rmtree(self._sockets, ignore_errors=True)
            self._lock.close()
            self._lock = None

    def revive(self) -> list[str]:
        """Start every server that has died again; return their names."""
        dead = [name for name, process in self._running.items() if process.poll() is not None]
        for name in dead:
            self._launch(name)
            self._wait_until_ready(name)
        return dead

    def remove(self) -> None:
        """Stop, and delete the servers' data (for tests)."""
        self.stop()
        for name in ("postgres", "valkey"):
            shutil.rmtree(self._state / name, ignore_errors=True)
        if self._state != self.data_dir:
            shutil.rmtree(self._state, ignore_errors=True)

    def pids(self) -> dict[str, int]:
        """Return each running server's process id."""
        return {name: process.pid for name, process in self._running.items() if process.poll() is None}

    def log_tail(self, name: str, lines: int = 8) -> str:
        """Return the last lines a server wrote."""
        try:
            text = (self._state / name / "server.log").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    # --- folders

    def _take_lock(self) -> IO[str]:
        made = not self.data_dir.exists()
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            # The lock is an open file: the kernel drops it however we end, so it is never stale.
            lock = (self.data_dir / "lock").open("a+")
        except OSError as error:
            raise EmbeddedError(
                f"The data folder {self.data_dir} cannot be written ({error.strerror}): set DATA_DIR."
            ) from None
        if made and self._user is not None:
            self.data_dir.chmod(0o711)  # ours alone; the service account only passes through
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise EmbeddedError(
                f"The data folder {self.data_dir} is in use by process {owner}: stop it, or set DATA_DIR "
                "to another folder."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return lock

    def _place_folders(self) -> None:
        name = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]
        if not reachable(self.data_dir, self._user):
            # Opening somebody's home folder to `nobody` is not ours to do; we move instead.
            self._state = system_dir() / f"data-{name}"
            self._state.mkdir(exist_ok=True)
            self._state.chmod(0o711)
        sockets = self._state / "sockets"
        if len(os.fsencode(sockets)) > _LONGEST_FOLDER or not _PLAIN_PATH.fullmatch(str(sockets)):
            sockets = Path(f"/tmp/hermod-{os.geteuid()}-{name}")  # noqa: S108  (checked right below)
        self._sockets = sockets
        self._own_folder(sockets)
        for wanted in (key for key, value in self._wanted.items() if value):
            self._own_folder(self._state / wanted)

    def _own_folder(self, folder: Path) -> None:
        """Make ``folder`` private to the servers' account; refuse one that somebody else made."""
        allowed = {os.geteuid(), self._user.uid if self._user else os.geteuid()}
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid not in allowed:
            raise EmbeddedError(f"The folder {folder} belongs to somebody else: remove it or set DATA_DIR.")
        if self._user is not None:
            os.chown(folder, self._user.uid, self._user.gid)
        folder.chmod(0o700)

    # --- the two servers

    def _prepare_postgres(self) -> None:
        folder, version = find_postgres(self._user)
        data = self._state / "postgres" / "data"
        if not (data / "PG_VERSION").exists():
            shutil.rmtree(self._state / "postgres" / "new", ignore_errors=True)
            self._make_cluster(folder, version, data)
        made_by = (data / "PG_VERSION").read_text().strip()
        if made_by != str(version):
            raise EmbeddedError(
                f"The data in {data} was made by Postgres {made_by} and this one is {version}: install "
                f"Postgres {made_by}, or move the folder away to start empty."
            )
        self._end_leftover(data / "postmaster.pid", str(data))
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "shared_buffers": "128MB",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        self._commands["postgres"] = [str(folder / "postgres"), "-D", str(data), *flags]

    def _make_cluster(self, folder: Path, version: int, data: Path) -> None:
        """Create the database files beside and rename them, so that half a cluster is never started."""
        new = data.parent / "new"
        locale = (
            ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            if version >= 17
            else ["--locale=C.UTF-8"]
        )
        sync = [] if self.durable else ["--no-sync"]
        base = [str(folder / "initdb"), "-D", str(new), "-U", "app", "-A", "trust", "-E", "UTF8"]
        self._run([*base, *locale, *sync])
        # Single-user mode makes the database before anybody can connect: no window, no client program.
        self._run([str(folder / "postgres"), "--single", "-D", str(new), "postgres"], "CREATE DATABASE app\n")
        new.rename(data)

    def _end_leftover(self, note: Path, mark: str) -> None:
        """Deal with the server of a process that was killed: end it if it lives, else forget it.

        ``note`` is the server's pid file; ``mark`` is what only our server has in its command line.
        """
        try:
            pid = int(note.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        if mark not in _command_line(pid):
            # Dead, or the number now belongs to another program, which Postgres would take for itself.
            note.unlink(missing_ok=True)
            return
        # We hold the folder's lock, so whoever started it is gone.
        deadline = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)  # both servers end cleanly on it
            while mark in _command_line(pid):
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"Process {pid} still uses {note.parent}: stop it first.")
                time.sleep(0.02)

    def _prepare_valkey(self) -> None:
        program = find_valkey(self._user)
        note = self._state / "valkey" / "valkey.pid"
        # Two of them on one append-only file would mix their writes.
        self._end_leftover(note, str(self._sockets))
        flags = {
            "pidfile": str(note),
            "port": "0",
            "unixsocket": str(self._sockets / "valkey.sock"),
            "unixsocketperm": "700",
            "dir": str(self._state / "valkey"),
            "databases": "64",
            "save": "",
            "appendonly": "yes" if self.durable else "no",
        }
        self._commands["valkey"] = [
            str(program),
            *(part for key, value in flags.items() for part in (f"--{key}", value)),
        ]

    # --- processes

    @staticmethod
    def _polite_signal(name: str) -> signal.Signals:
        # To Postgres SIGTERM means "when the last client has left", SIGINT "now, cleanly".
        return signal.SIGINT if name == "postgres" else signal.SIGTERM

    def _launch(self, name: str) -> None:
        with (self._state / name / "server.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._commands[name],
                cwd=self._state / name,
                env=clean_env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops us last
                preexec_fn=die_with_parent(self._polite_signal(name)),
                **popen_as(self._user),  # type: ignore[call-overload]
            )

    def _run(self, command: list[str], text: str = "") -> None:
        done = subprocess.run(
            command,
            input=text,
            cwd=self._state / "postgres",
            env=clean_env(),
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            **popen_as(self._user),  # type: ignore[call-overload]
        )
        if done.returncode != 0:
            last = " ".join((done.stderr or done.stdout).split())[-300:]
            raise EmbeddedError(f"{Path(command[0]).name} failed: {last}")

    def _wait_until_ready(self, name: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        ready = self._postgres_ready if name == "postgres" else self._valkey_ready
        while not ready():
            process = self._running[name]
            if process.poll() is not None:
                if "pre-existing shared memory" in self.log_tail(name) and time.monotonic() < deadline:
                    time.sleep(0.2)  # the killed one's children are still leaving
                    self._launch(name)
                    continue
                raise EmbeddedError(f"{name} did not start; it said: {self.log_tail(name, 3)}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{name} did not answer within {START_SECONDS:.0f} seconds.")
            time.sleep(0.01)

    def _postgres_ready(self) -> bool:
        """Read the postmaster's own note: its first line is the pid, its eighth the state."""
        try:
            lines = (self._state / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        ours = bool(lines) and lines[0].strip() == str(self._running["postgres"].pid)
        return ours and len(lines) > 7 and lines[7].strip() == "ready"

    def _valkey_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self._sockets / "valkey.sock"))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def _command_line(pid: int) -> str:
    """Return a process's command line; empty when there is no such process (or only its remains)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return ""
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout
