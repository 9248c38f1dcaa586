"""Inline DSNs are encrypted; keys are kept to ourselves."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from holdfastd.errors import InvalidField, Reason, Refused
from holdfastd.store.secrets import Secrets

DSN = "postgresql://app:hunter2@db.example/shop"


def test_key_file_is_made_when_first_needed(tmp_path: Path) -> None:
    """Private, and found again after a restart."""
    home = tmp_path / "data"
    idle = Secrets(None, home)
    assert not home.exists()

    token = idle.encrypt(DSN)

    assert Secrets(None, home).decrypt(token) == DSN
    assert [stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()] == [0o600]
    assert b"hunter2" not in token


def test_replicas_agree_on_one_key_file(tmp_path: Path) -> None:
    replicas = [Secrets(None, tmp_path) for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        tokens = list(threads.map(lambda replica: replica.encrypt(DSN), replicas))

    assert {Secrets(None, tmp_path).decrypt(token) for token in tokens} == {DSN}


def test_keys_are_rotated_by_putting_the_new_one_first(tmp_path: Path) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    token = Secrets(old, tmp_path).encrypt(DSN)
    both = Secrets(f"{new}, {old}", tmp_path)

    assert both.decrypt(token) == DSN
    assert Secrets(new, tmp_path).decrypt(both.encrypt(DSN)) == DSN
    assert list(tmp_path.iterdir()) == []


def test_lost_key_is_a_refusal(tmp_path: Path) -> None:
    token = Secrets(Fernet.generate_key().decode(), tmp_path).encrypt(DSN)

    with pytest.raises(Refused) as refusal:
        Secrets(Fernet.generate_key().decode(), tmp_path).decrypt(token)
    assert refusal.value.reason is Reason.DSN_UNREADABLE


def test_reading_makes_no_key(tmp_path: Path) -> None:
    """It would open nothing, and everything stored from then on would be lost to the replicas that hold the right one."""
    token = Secrets(Fernet.generate_key().decode(), tmp_path).encrypt(DSN)

    with pytest.raises(Refused) as refusal:
        Secrets(None, tmp_path / "data").decrypt(token)
    assert refusal.value.reason is Reason.DSN_UNREADABLE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["hunter2", "aHVudGVyMg==", ",", "hünter2"])
def test_bad_key_is_named_but_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        Secrets(key, tmp_path)
    assert refusal.value.field == "HOLDFAST_SECRET_KEY"
    assert key.strip(",") == "" or key not in refusal.value.message
