"""Requests that have arrived in the same turn of the loop share a read of the generation, where it is a round trip."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, nullcontext
from typing import Any

import pytest
from raw_iam import answer_of, connected, held_loop, request_bytes
from sent_statements import sent_statements
from server_in_thread import served_in_thread
from world_handle import WorldHandle, builtin_world

from rolecall.server.connection import Connection, Phase
from rolecall.server.front import Front
from rolecall.storage import tables as t


@pytest.mark.parametrize("on", ["sqlite", "postgresql"])
def test_requests_of_one_turn_share_a_read_of_the_generation(on: str) -> None:
    world = WorldHandle(builtin_world(), on=on)
    with served_in_thread(world.application) as served, ExitStack() as stack:
        request = request_bytes(served.url, "GetCallerIdentity", "sts", "2011-06-15")
        clients = connected(served, stack, request)
        with sent_statements(world.database) as statements:
            with held_loop(served):
                for client in clients:
                    client.sendall(request)
            for client in clients:
                assert b"200 OK" in answer_of(client)
        if on == "postgresql":
            assert statements == ["rolecall_generation"]
    world.close()


def test_a_change_before_the_requests_arrive_holds_for_all_of_them() -> None:
    world = WorldHandle(builtin_world(), on="postgresql")
    with served_in_thread(world.application) as served, ExitStack() as stack:
        request = request_bytes(served.url, "GetRole", "iam", "2010-05-08", RoleName="chime-reader")
        clients = connected(served, stack, request)
        for number in range(10):
            # As another process does it, while the loop is at rest.
            with world.database.transaction() as connection:
                changed = t.roles.update().where(t.roles.c.name == "chime-reader").values(description=f"new {number}")
                connection.execute(changed)
            for client in clients:
                client.sendall(request)
            for client in clients:
                assert f"<Description>new {number}</Description>".encode() in answer_of(client)
    world.close()


def test_requests_in_one_piece_are_answered_in_their_order() -> None:
    """The second one begins after the first one's answer, and so it is of a later turn."""
    world = WorldHandle(builtin_world(), on="postgresql")
    with served_in_thread(world.application) as served, ExitStack() as stack:
        read = request_bytes(served.url, "GetRole", "iam", "2010-05-08", RoleName="chime-reader")
        write = request_bytes(
            served.url, "UpdateRoleDescription", "iam", "2010-05-08", RoleName="chime-reader", Description="written"
        )
        [client, *_] = connected(served, stack, read)
        with sent_statements(world.database) as statements:
            client.sendall(write + read)
            answers = b""
            while answers.count(b"</GetRoleResponse>") < 1:
                answers += client.recv(65_536)
        assert answers.count(b"<Description>written</Description>") == 2
        assert statements
    world.close()


def test_a_failure_of_one_connection_leaves_the_others_their_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = WorldHandle(builtin_world(), on="postgresql")
    with served_in_thread(world.application) as served, ExitStack() as stack:
        request = request_bytes(served.url, "GetCallerIdentity", "sts", "2011-06-15")
        clients = connected(served, stack, request)
        answer_next, failed = Connection.answer_next, []

        def fail_once(connection: Connection) -> None:
            if not failed:
                failed.append(connection)
                raise RuntimeError("unexpected")
            answer_next(connection)

        monkeypatch.setattr(Connection, "answer_next", fail_once)
        with held_loop(served):
            for client in clients:
                client.sendall(request)
        ended = 0
        for client in clients:
            try:
                assert b"200 OK" in answer_of(client)
            except (AssertionError, ConnectionResetError):
                ended += 1
        assert ended == 1
    world.close()


class _Fake:
    """A connection, as a front sees it."""

    ended = ""

    def answer_next(self) -> None: ...

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def timed_out(self, _phase: Phase) -> None:
        self.ended = "late"


def test_a_gathered_connection_makes_no_room_and_is_not_late() -> None:
    """Its request has arrived, though its phase is still the one before."""

    async def main() -> None:
        application: Any = None
        front = Front(
            application, threads=1, maximum_body_bytes=1, maximum_connections=2, receive_seconds=0, together=nullcontext
        )
        gathered, idle, newcomer = connections = [_Fake() for _ in range(3)]
        as_front: Any = front
        as_front.moved(gathered, Phase.IDLE, restarts=True)
        as_front.moved(idle, Phase.IDLE, restarts=True)
        assert as_front.gather(gathered)
        as_front.moved(newcomer, Phase.IDLE, restarts=True)
        assert [each.ended for each in connections] == ["", "closed", ""]
        as_front.moved(gathered, Phase.HEAD, restarts=True)
        as_front.moved(newcomer, Phase.HEAD, restarts=True)
        front._end_late_phases()
        assert [each.ended for each in connections] == ["", "closed", "late"]
        await front.stop(0.0)

    asyncio.run(main())
