"""The leaves: identifiers, clock, ARNs, the bounded cache, default settings."""

from __future__ import annotations

import re
import threading
import time
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.arns import Arn, assumed_role_arn, federated_user_arn, iam_arn, parse_arn, root_arn
from rolecall.caches import KEPT_CHARACTERS, BoundedCache, remembered
from rolecall.clock import Clock, iso8601
from rolecall.ids import Identifiers, account_of_access_key
from rolecall.settings import Address, data_folder, default_database_url


@given(st.integers(0, 999_999_999_999), st.sampled_from(["ASIA", "AKIA"]))
def test_an_access_key_id_carries_its_account(number: int, prefix: str) -> None:
    account_id = f"{number:012d}"
    access_key_id = Identifiers().access_key_id(prefix, account_id)
    assert re.fullmatch(prefix + "[A-Z2-7]{16}", access_key_id)
    assert account_of_access_key(access_key_id) == account_id


def test_the_account_in_an_access_key_id_of_aws() -> None:
    assert account_of_access_key("ASIAY34FZKBOKMUTVV7A") == "609629065308"


@pytest.mark.parametrize("text", ["", "test", "AKIAIOSFODNN7EXAMPLE", "ASIAY34FZKBOKMUTVV7", "ASIA0000000000000000"])
def test_ids_that_carry_no_account(text: str) -> None:
    assert account_of_access_key(text) is None


def test_forms_of_identifiers() -> None:
    ids = Identifiers()
    assert re.fullmatch("AROA[A-Z2-7]{17}", ids.unique_id("AROA"))
    assert re.fullmatch("[A-Za-z0-9+/]{40}", ids.secret_access_key())
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", ids.uuid())
    assert re.fullmatch("[0-9]{10}", ids.digits(10))


def test_a_seed_makes_identifiers_repeat_but_never_key_material() -> None:
    first, second = Identifiers(seed=1), Identifiers(seed=1)
    assert [first.uuid(), first.unique_id("AIDA")] == [second.uuid(), second.unique_id("AIDA")]
    assert first.secret_bytes(32) != second.secret_bytes(32)
    assert len({Identifiers(seed=seed).uuid() for seed in (0, 1, 2, -1, -2, 10**5000, -(10**5000))}) == 7
    begun = Identifiers(seed=1)
    made = [begun.uuid(), begun.noise(10), begun.digits(10)]
    begun.restart()
    assert [begun.uuid(), begun.noise(10), begun.digits(10)] == made
    unseeded = Identifiers()
    before = unseeded.uuid()
    unseeded.restart()
    assert unseeded.uuid() != before


def test_the_clock_follows_the_machine() -> None:
    before = time.time()
    wall_seconds = Clock().wall_seconds()
    assert before <= wall_seconds <= time.time()


def test_the_clock_advances_is_set_frozen_and_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wall = Clock(), [2_000_000.0]
    monkeypatch.setattr(clock, "wall_seconds", lambda: wall[0])
    clock.advance(3600)
    assert (clock.now_seconds(), clock.wall_seconds()) == (2_003_600, 2_000_000)
    wall[0] += 7
    assert (clock.now_seconds(), clock.offset_seconds) == (2_003_607, 3600)
    clock.set(1_000_000)
    wall[0] += 7
    assert clock.now_seconds() == 1_000_007
    clock.freeze()
    wall[0] += 7
    assert clock.frozen
    assert clock.now_seconds() == 1_000_007
    clock.advance(10)
    assert clock.now_seconds() == 1_000_017
    clock.set(5)
    wall[0] += 7
    assert (clock.now_seconds(), clock.offset_seconds) == (5, 5 - 2_000_028)
    clock.unfreeze()
    wall[0] += 7
    assert clock.now_seconds() == 12
    clock.reset()
    assert not clock.frozen
    assert clock.now_seconds() == clock.wall_seconds() == 2_000_035


def test_dates_are_whole_seconds_of_utc() -> None:
    assert iso8601(0) == "1970-01-01T00:00:00Z"
    assert iso8601(1_795_478_400.999) == "2026-11-24T00:00:00Z"


def test_arns_are_parsed_and_written() -> None:
    arn = parse_arn("arn:aws:iam::111122223333:role/path/to/reader")
    assert arn == Arn("aws", "iam", "", "111122223333", "role/path/to/reader")
    assert str(arn) == "arn:aws:iam::111122223333:role/path/to/reader"
    assert (arn.resource_type, arn.resource_name) == ("role", "reader")
    assert parse_arn("arn:aws:chime:us-east-1:1:app-instance/a:b") is not None
    assert iam_arn("1", "user", "/a/", "b") == "arn:aws:iam::1:user/a/b"
    assert root_arn("1") == "arn:aws:iam::1:root"
    assert assumed_role_arn("1", "r", "s") == "arn:aws:sts::1:assumed-role/r/s"
    assert federated_user_arn("1", "n") == "arn:aws:sts::1:federated-user/n"


@pytest.mark.parametrize(
    "text", ["", "arn", "nothing-valid-in-here", "arn:aws:iam::1", "arn::iam::1:x", "arn:aws:::1:"]
)
def test_invalid_arns(text: str) -> None:
    assert parse_arn(text) is None


def test_the_cache_forgets_the_oldest_when_full() -> None:
    cache: BoundedCache[int, str] = BoundedCache(3)
    for number in range(5):
        cache.put(number, str(number))
    assert [cache.get(number) for number in range(5)] == [None, None, "2", "3", "4"]
    cache.put(4, "again")
    assert (len(cache), cache.get(2), cache.get(4)) == (3, "2", "again")
    cache.clear()
    assert len(cache) == 0


def test_the_cache_stays_bounded_under_many_threads() -> None:
    cache: BoundedCache[int, int] = BoundedCache(50)

    def fill(start: int) -> None:
        for number in range(start, start + 2000):
            cache.put(number, number)

    threads = [threading.Thread(target=fill, args=(start * 10_000,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) <= 54


@pytest.mark.parametrize("key", ["a" * 11, b"a" * 11, ("a" * 6, 1, ("b" * 5, None))])
def test_a_cache_keeps_no_long_texts(key: object) -> None:
    cache: BoundedCache[object, int] = BoundedCache(3, characters=10)
    cache.put(key, 1)
    assert len(cache) == 0
    for short in ("a" * 10, ("a" * 5, 10**20, ("b" * 5, None))):
        cache.put(short, 2)
        assert cache.without(lambda *_: False).get(short) == 2


def test_what_is_made_of_a_short_text_is_remembered() -> None:
    made: list[str] = []

    @remembered(2)
    def length(first: str, second: str) -> int:
        made.append(first)
        return len(first + second)

    assert [length("a", "b"), length("a", "b")] == [2, 2]
    assert made == ["a"]
    long = "c" * (KEPT_CHARACTERS + 1)
    assert length(long, "") == length(long, "") == len(long)
    assert made == ["a", long, long]


@pytest.mark.parametrize(
    ("platform", "environment", "url"),
    [
        ("linux", {}, "sqlite:////home/ana/.local/share/rolecall/rolecall.db"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "sqlite:////data/rolecall/rolecall.db"),
        ("darwin", {}, "sqlite:////home/ana/Library/Application Support/rolecall/rolecall.db"),
        ("win32", {"LOCALAPPDATA": "C:/Local"}, "sqlite:///C:/Local/rolecall/rolecall.db"),
    ],
)
def test_the_default_database_is_in_the_users_data_folder(platform: str, environment: dict[str, str], url: str) -> None:
    assert default_database_url(data_folder(environment, platform, "/home/ana")) == url


def test_every_sandbox_file_has_a_database_of_its_own() -> None:
    folder = PurePath("/data/rolecall")
    files = ["/home/ana/one/rolecall.yaml", "/home/ana/two/rolecall.yaml", "/home/ana/one/other file.yaml"]
    urls = [default_database_url(folder, file) for file in files]
    assert len({default_database_url(folder), *urls}) == 4
    assert all(re.fullmatch(r"sqlite:////data/rolecall/rolecall-[0-9a-f]{12}\.db", url) for url in urls[:2])
    assert re.fullmatch(r"sqlite:////data/rolecall/other-file-[0-9a-f]{12}\.db", urls[2])
    assert default_database_url(folder, files[0]) == urls[0]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:4580"),
        ("0.0.0.0", "http://127.0.0.1:4580"),  # noqa: S104
        ("::", "http://[::1]:4580"),
        ("localhost", "http://localhost:4580"),
    ],
)
def test_the_address_to_reach_the_server_by(host: str, url: str) -> None:
    assert Address(host, 4580).url == url
