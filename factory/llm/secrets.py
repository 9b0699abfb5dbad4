"""Secrets of this process, such as API keys, in what an endpoint sends back."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from urllib.parse import quote

SECRET_NAME_PATTERN = re.compile(r"(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)", re.IGNORECASE)
"""Names of environment variables whose values no text from outside may hold."""
MIN_SECRET_LENGTH = 8
"""Characters: a shorter value is also a word, which a model may well write."""


def collect_secrets(key_env: str) -> dict[str, str]:
    """Return value → variable for the variable of an API key, and for all whose names say that they hold a secret."""
    named = [name for name in os.environ if SECRET_NAME_PATTERN.search(name)]
    values = {os.environ.get(name, "").strip(): name for name in [*named, *([key_env] if key_env else [])]}
    return {value: name for value, name in values.items() if len(value) >= MIN_SECRET_LENGTH}


def find_secret(text: str, secrets: Mapping[str, str]) -> str:
    """Return the variable whose value a text holds, also spread over lines or encoded; empty for none."""
    dense = "".join(character for character in text if character.isprintable() and not character.isspace())
    for value, name in secrets.items():
        if any(form in seen for form in _list_forms(value) for seen in (text, dense)):
            return name
    return ""


def redact_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Return a text as one line in which secrets are replaced by `$VARIABLE`."""
    line = " ".join(text.split())
    for value, name in sorted(secrets.items(), key=lambda item: -len(item[0])):
        for form in _list_forms(value):
            line = line.replace(form, f"${name}")
    found = find_secret(line, secrets)
    return f"(a text that holds the value of ${found})" if found else line


def _list_forms(value: str) -> list[str]:
    """Return the spellings in which a secret may come back."""
    encoded = base64.b64encode(value.encode()).decode().rstrip("=")
    return [value, quote(value, safe=""), encoded, value.encode().hex(), value[::-1]]
