"""Secrecy: what in a workflow may be secret, and how it is kept off messages and off the record.

Secret are keys by their type, the query of an address, and values whose name tells. A value that nothing tells
to be secret is none: whoever writes one writes it as ``${NAME}``, which is recorded by that name.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

if TYPE_CHECKING:
    from branchwise.orchestrator.workflow.load import Loaded

_TELLING = re.compile(r"key|token$|secret|password|authorization", re.IGNORECASE)


def telling(name: object) -> bool:
    """True where the name of a value tells that it may be secret."""
    return _TELLING.search(str(name)) is not None


def recordable(loaded: Loaded) -> Any:
    """The plan as written, where a secret that was written out gives way to ``${MODEL_FIELD}``."""
    data = copy.deepcopy(loaded.data)
    for name, options in loaded.workflow.models.items():
        model = _without_secrets(data["models"][name], name)
        for key, written in model.items():
            typed = isinstance(getattr(options, key, None), SecretStr)
            if typed or (key == "url" and "?" in str(written)):
                model[key] = _hidden(written, name, key)
        data["models"][name] = model
    return data


def _without_secrets(written: Any, *path: str) -> Any:
    if isinstance(written, dict):
        return {
            key: _hidden(value, *path, str(key)) if telling(key) else _without_secrets(value, *path, str(key))
            for key, value in written.items()
        }
    if isinstance(written, list):
        return [_without_secrets(value, *path, str(index)) for index, value in enumerate(written)]
    return written


def _hidden(written: object, *path: str) -> object:
    """A value that is one ``${NAME}`` as it is; any other by the name of a variable to be set on resume."""
    if re.fullmatch(r"\$\{\w+\}", str(written)):
        return written
    return "${" + re.sub(r"\W", "_", "_".join(path)).upper() + "}"
