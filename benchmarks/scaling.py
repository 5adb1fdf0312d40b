"""A model of one sandbox for a whole team: how many processes it needs, how much of PostgreSQL, and where it ends.

    python benchmarks/scaling.py

prints the tables of docs/scaling.md. ``scaling_costs.py`` measures the costs that the model starts from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple


class Cost(NamedTuple):
    """What a call of one kind costs: processor time at Rolecall and at PostgreSQL, and round trips between them."""

    rolecall_microseconds: float
    postgresql_microseconds: float
    round_trips: int


# A "first" call is the first one of its caller at a process since rights have changed.
KINDS = ("GetCallerIdentity", "AssumeRole", "GetRole", "PutRolePolicy")
FIRST = " first"
# From scaling_costs.py, on two processors that other work kept busy (load average 8 to 10). Times are processor times,
# the smallest ones of three runs, because other work can only add to them. Round trips are counted, so they are exact.
COSTS: Mapping[str, Cost] = {
    "GetCallerIdentity": Cost(170, 39, 1),
    "AssumeRole": Cost(328, 57, 1),
    "GetRole": Cost(183, 36, 1),
    "PutRolePolicy": Cost(1889, 558, 8),
    "GetCallerIdentity first": Cost(956, 385, 9),
    "AssumeRole first": Cost(1298, 727, 14),
    "GetRole first": Cost(937, 511, 15),
}
# Of a write: how long it has the lock for writers when no network is between, and its round trips in that time.
WRITE_HOLDS_MICROSECONDS = 7322.0
WRITE_ROUND_TRIPS = 7

# A busy processor above this share makes calls wait.
USABLE_SHARE = 0.7
CONNECTIONS_OF_A_WORKER = 6
KEPT_CALLS = 50_000


@dataclass(frozen=True)
class Team:
    """Who uses the sandbox. ``mix`` is the share of each kind of call; writes change rights."""

    callers: int
    calls_per_hour: float
    mix: Mapping[str, float]
    round_trip_microseconds: float

    @property
    def rate(self) -> float:
        return self.calls_per_hour / 3600


TEAM = Team(
    1000,
    10_000_000,
    {"GetCallerIdentity": 0.05, "AssumeRole": 0.1, "GetRole": 0.849, "PutRolePolicy": 0.001},
    round_trip_microseconds=200,
)


class Need(NamedTuple):
    """What a team needs. ``first`` is the share of first calls, ``lock`` the busy share of the lock for writers."""

    workers: int
    postgresql_processors: float
    connections: int
    first: float
    lock: float
    log_seconds: float


def first_share(team: Team, workers: int) -> float:
    """The share of calls that are the first of their caller at their process since rights have changed.

    Between two changes a process gets k calls of random callers. d(1 - (1 - 1/d)^k) of d callers are among them.
    """
    changes = team.rate * team.mix["PutRolePolicy"]
    if not changes:
        return 0.0
    calls = team.rate / workers / changes
    return min(1.0, team.callers * (1 - (1 - 1 / team.callers) ** calls) / calls)


def cost_of(team: Team, first: float, costs: Mapping[str, Cost] | None = None) -> Cost:
    """The mean cost of a call, by default with ``COSTS``. The round trips are a mean, too."""
    costs = costs or COSTS
    means = []
    for part in range(3):
        mean = 0.0
        for kind, share in team.mix.items():
            again, at_first = costs[kind][part], costs.get(kind + FIRST, costs[kind])[part]
            mean += share * (again + first * (at_first - again))
        means.append(mean)
    return Cost(means[0], means[1], means[2])  # type: ignore[arg-type]


def need_of(team: Team) -> Need:
    """More workers make more first calls, which need more workers: counted up until it fits."""
    for workers in range(1, 10_000):
        first = first_share(team, workers)
        cost = cost_of(team, first)
        # A worker waits for the database, so a call takes it for the round trips and for the server's work as well.
        busy = sum(cost[:2]) + cost.round_trips * team.round_trip_microseconds
        if team.rate * busy / 1e6 <= workers * USABLE_SHARE:
            break
    held = WRITE_HOLDS_MICROSECONDS + WRITE_ROUND_TRIPS * team.round_trip_microseconds
    return Need(
        workers,
        team.rate * cost.postgresql_microseconds / 1e6 / USABLE_SHARE,
        workers * CONNECTIONS_OF_A_WORKER,
        first,
        team.rate * team.mix["PutRolePolicy"] * held / 1e6,
        KEPT_CALLS / team.rate,
    )


def changing(team: Team, share: float) -> Team:
    """The same team with another share of changes of rights, in place of reads."""
    reads = team.mix["GetRole"] + team.mix["PutRolePolicy"] - share
    return replace(team, mix={**team.mix, "GetRole": reads, "PutRolePolicy": share})


def variants() -> Iterator[tuple[str, Team]]:
    yield "1,000 developers, 10 million calls an hour", TEAM
    yield "a tenth of the calls", replace(TEAM, calls_per_hour=1_000_000)
    yield "a round trip of 50 µs instead of 200", replace(TEAM, round_trip_microseconds=50)
    yield "a round trip of 1 ms", replace(TEAM, round_trip_microseconds=1000)
    yield "no change of rights", changing(TEAM, 0.0)
    yield "ten times the changes: 1 %", changing(TEAM, 0.01)
    yield "a hundred times the changes: 10 %", changing(TEAM, 0.1)
    yield "100 callers instead of 1,000", replace(TEAM, callers=100)


def tables() -> str:
    """The two tables of docs/scaling.md."""
    lines = ["| call | Rolecall, µs | PostgreSQL, µs | round trips |", "| --- | --- | --- | --- |"]
    lines += [f"| {kind} | {a:.0f} | {b:.0f} | {trips} |" for kind, (a, b, trips) in COSTS.items()]
    lines += [
        "",
        "| | workers | processors of PostgreSQL | connections | first calls | lock for writers busy | log, seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, team in variants():
        need = need_of(team)
        lock = f"{need.lock:.0%}" if need.lock <= USABLE_SHARE else f"**{need.lock:.0%}**"
        processors, log = math.ceil(need.postgresql_processors), need.log_seconds
        lines.append(
            f"| {name} | {need.workers} | {processors} | {need.connections} | {need.first:.0%} | {lock} | {log:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())
