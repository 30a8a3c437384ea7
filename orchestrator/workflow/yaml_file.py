"""YAML files as closed models. Every error names file, line and key, and what would be valid.

1. Parse the YAML, keeping each key's line. 2. Apply settings such as ``--set``. 3. Fill in ``${NAME}`` from the
environment that the caller hands over. 4. Validate against the closed model.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from typing_extensions import TypeAliasType

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.suggesting import suggestion
from branchwise.orchestrator.plugins import broken, misplaced
from branchwise.orchestrator.workflow.secrecy import telling

Place = tuple[str | int, ...]
Lines = Mapping[Place, int]
M = TypeVar("M", bound=BaseModel)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read_yaml(path: Path) -> tuple[Any, Lines]:
    """The data in a file and the line of each key. ConfigError where it can't be read or is not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    lines: dict[Place, int] = {}
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _note_lines(root, (), lines, str(path))
        data = yaml.safe_load(text)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply, or in itself") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: not YAML: {getattr(error, 'problem', error)}") from None
    return data, lines


def validated(model: type[M], data: Any, environment: Mapping[str, str], source: str, lines: Lines) -> M:
    """``data`` with ``${NAME}`` filled in, as ``model``. ConfigError, a line for each thing that is wrong."""
    filled = _fill(data, (), environment, source, lines)
    try:
        return model.model_validate(filled)
    except ValidationError as error:
        wrong = [_explain(model, one, data, filled, source, lines) for one in error.errors()]
        raise ConfigError("\n".join(wrong)) from None


def written_at(place: Place, source: str, lines: Lines) -> str:
    """A place as file:line: key. Of a key that was not written, its parent's line; none where none is known."""
    written = next((lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines), None)
    return f"{source}:{written}: {_dotted(place)}" if written else f"{source}: {_dotted(place)}"


def _note_lines(node: yaml.Node, place: Place, lines: dict[Place, int], source: str) -> None:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, key.value)
            if inner in lines and key.value != "<<":
                line = key.start_mark.line + 1
                raise ConfigError(f"{source}:{line}: {_dotted(inner)}: written twice, first in line {lines[inner]}")
            lines[inner] = key.start_mark.line + 1
            _note_lines(value, inner, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*place, index), lines, source)


def apply_setting(data: Any, setting: str) -> None:
    """Apply one ``a.b.c=value``; the value is read as YAML."""
    path, equals, value = setting.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set {setting}: write it as nodes.search.algorithm.width=8")
    for depth, key in enumerate(keys[:-1]):
        if not isinstance(data, dict) or not isinstance(data.setdefault(key, {}), dict):
            raise ConfigError(f"--set {setting}: '{'.'.join(keys[: depth + 1])}' holds no keys")
        data = data[key]
    try:
        data[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {setting}: the value is not YAML") from None


def _fill(value: Any, place: Place, environment: Mapping[str, str], source: str, lines: Lines) -> Any:
    if isinstance(value, dict):
        return {k: _fill(v, (*place, k), environment, source, lines) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill(v, (*place, i), environment, source, lines) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if match[1] not in environment:
            where = written_at(place, source, lines)
            raise ConfigError(f"{where}: environment variable {match[1]} is not set; set it, or write the value")
        return environment[match[1]]

    return _VARIABLE.sub(variable, value)


def _explain(model: type[BaseModel], error: Any, written: Any, data: Any, source: str, lines: Lines) -> str:
    """One validation error as: file:line: key: what is wrong, what would be valid. Secrets are not repeated."""
    place = _in_data(error["loc"], data)
    where = written_at(place, source, lines) if place else written_at((model.__name__.lower(),), source, lines)
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return f"{where}: unknown key{suggestion(str(place[-1]), _fields(model, error['loc']))}"
        case "missing":
            return f"{where}: this key is required"
        case "union_tag_invalid":
            valid = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
            if kind := broken(context["tag"], valid):
                return f"{where}.kind: {kind.refusal}"
            if reason := misplaced(context["tag"], valid):
                return f"{where}.kind: {reason}"
            return f"{where}.kind: unknown kind '{context['tag']}'{suggestion(context['tag'], valid)}"
        case "union_tag_not_found":
            return f"{where}: the key `kind` is required"
        case "literal_error":
            valid = re.findall(r"'([^']*)'", context["expected"])
            return f"{where}: '{error['input']}' is not valid{suggestion(str(error['input']), valid)}"
    message, got = error["msg"].removeprefix("Value error, "), _at(written, place)
    about_several_keys = isinstance(got, dict) and error["type"] == "value_error"
    if about_several_keys or "url" in place or any(map(telling, place)):
        return f"{where}: {message}"
    return f"{where}: {message} (got {_short(got)})"


def _at(data: Any, place: Place) -> Any:
    """What was written there, before ``${NAME}`` was filled in."""
    for part in place:
        data = data[part]
    return data


def _in_data(loc: Place, data: Any) -> Place:
    """An error's location without the tags that pydantic puts in for unions."""
    place: Place = ()
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(data, dict) and (part in data or (last and not _is_tag(part, data))):
            data, place = data.get(part), (*place, part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data, place = data[part], (*place, part)
    return place


def _is_tag(part: str | int, data: dict[str, Any]) -> bool:
    return part == data.get("kind")


def _fields(model: type[BaseModel], loc: Place) -> list[str]:
    """The keys that would be valid beside the wrong one at the end of an error's location."""
    current: Any = model
    for part in loc[:-1]:
        current = _into(current, part)
    return list(_keys(current)) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    """What a user may write in a model -> its type."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _into(current: Any, part: str | int) -> Any:
    current = _meant(current)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return _keys(current).get(str(part))
    origin, arguments = get_origin(current), get_args(current)
    if origin is dict:
        return arguments[1]
    if origin is list:
        return arguments[0]
    for choice in _choices(current):  # a union: the part is the tag
        kind = choice.model_fields.get("kind")
        if kind is not None and get_origin(kind.annotation) is Literal and part in get_args(kind.annotation):
            return choice
    named = [choice for choice in _choices(current) if str(part) in choice.model_fields]
    return _into(named[0], part) if named else None


def _meant(current: Any) -> Any:
    """What an alias of a type that may hold itself stands for (workflow/spec.py)."""
    if not isinstance(current, TypeAliasType):
        return current
    return getattr(sys.modules[str(current.__module__)], current.__value__)


def _choices(current: Any) -> list[type[BaseModel]]:
    found = []
    for argument in map(_meant, get_args(current)):
        if isinstance(argument, type) and issubclass(argument, BaseModel):
            found.append(argument)
        else:
            found += _choices(argument)
    return found


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
