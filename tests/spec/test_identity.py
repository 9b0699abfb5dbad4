"""Identity: what is equal has one key, whatever the order, the process or the place."""

import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from factory import identity


def test_the_order_of_keys_plays_no_part() -> None:
    assert identity.compute_key({"a": 1, "b": [1, 2]}) == identity.compute_key({"b": [1, 2], "a": 1})
    assert identity.compute_key([1, 2]) != identity.compute_key([2, 1])


def test_what_json_can_not_say_has_no_key() -> None:
    with pytest.raises(ValueError, match="JSON"):
        identity.compute_key({"a": float("nan")})
    with pytest.raises(TypeError):
        identity.compute_key({"a": {1, 2}})


def test_a_folder_is_its_names_and_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file").write_text("same")
    assert identity.digest_path(tmp_path / "one") == identity.digest_path(tmp_path / "two")
    (tmp_path / "two" / "sub" / "file").write_text("other")
    assert identity.digest_path(tmp_path / "one") != identity.digest_path(tmp_path / "two")


def test_a_key_is_the_same_under_any_hash_seed() -> None:
    code = (
        "from factory.identity import compute_key; print(compute_key({'b': 1.5, 'ä': [True, None], 'a': {'y': 1, "
        "'x': 2}}))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
            cwd=ROOT,
        ).stdout
        for seed in ("0", "1", "42")
    }
    assert len(keys) == 1
