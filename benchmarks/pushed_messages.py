"""What a pushed message costs the server: 1,000 open websockets, and a channel with 100 members who have one each.

    python benchmarks/pushed_messages.py

Prints the processor time of the server for a message to the 100 members, with and without their websockets, and for a
second in which nothing happens.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from servers import free_port
from websockets.asyncio.client import connect

MEMBERS, SOCKETS, MESSAGES = 100, 1000, 100
USERS = SOCKETS // 10
KEYS = ("test", "test")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def url_of(port: int, user_arn: str) -> str:
    query = f"sessionId=benchmark&userArn={quote(user_arn, safe='')}"
    request = AWSRequest("GET", f"http://127.0.0.1:{port}/connect?{query}")
    SigV4QueryAuth(Credentials(*KEYS), "chime", "us-east-1", expires=10).add_auth(request)
    return "ws" + str(request.url).removeprefix("http")


class Chat:
    """Users, of whom all are members of one channel, and as many who are members of none."""

    def __init__(self, port: int) -> None:
        self.port = port
        identity, self.messaging = self.client("chime-sdk-identity"), self.client("chime-sdk-messaging")
        self.instance = identity.create_app_instance(Name="chat")["AppInstanceArn"]
        names = [f"member{number}" for number in range(MEMBERS)] + [f"other{number}" for number in range(USERS)]
        for name in names:
            identity.create_app_instance_user(AppInstanceArn=self.instance, AppInstanceUserId=name, Name=name)
        self.members, self.others = (
            [f"{self.instance}/user/{name}" for name in names[:MEMBERS]],
            [f"{self.instance}/user/{name}" for name in names[MEMBERS:]],
        )
        self.bearer = self.members[0]
        made = self.messaging.create_channel(AppInstanceArn=self.instance, Name="all", ChimeBearer=self.bearer)
        self.channel = made["ChannelArn"]
        for member in self.members[1:]:
            self.messaging.create_channel_membership(
                ChannelArn=self.channel, MemberArn=member, Type="DEFAULT", ChimeBearer=self.bearer
            )

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=KEYS[0],
            aws_secret_access_key=KEYS[1],
        )

    def send(self) -> None:
        self.messaging.send_channel_message(
            ChannelArn=self.channel,
            Content="x" * 200,
            Type="STANDARD",
            Persistence="PERSISTENT",
            ChimeBearer=self.bearer,
        )


async def run(pid: int, chat: Chat) -> None:
    def spent(work: Any) -> float:
        before = cpu_seconds(pid)
        work()
        return cpu_seconds(pid) - before

    def messages() -> None:
        for _ in range(MESSAGES):
            chat.send()

    alone = await asyncio.to_thread(spent, messages)
    # One websocket for each member, and nine or more for users of no channel.
    wanted = [*chat.members, *(user for user in chat.others for _ in range((SOCKETS - MEMBERS) // USERS))]
    before = cpu_seconds(pid)
    sockets: list[Any] = []
    for user in wanted:
        sockets.append(await connect(url_of(chat.port, user), ping_interval=None, proxy=None, compression=None))
        await sockets[-1].recv()
    connecting = cpu_seconds(pid) - before
    idle = await asyncio.to_thread(spent, lambda: time.sleep(5)) / 5
    before, begun = cpu_seconds(pid), time.monotonic()
    sending = asyncio.to_thread(messages)
    receiving = [asyncio.create_task(received(each)) for each in sockets[:MEMBERS]]
    await sending
    await asyncio.gather(*receiving)
    seconds = time.monotonic() - begun
    pushed = cpu_seconds(pid) - before - idle * seconds
    print(f"{len(sockets)} websockets; a connect: {connecting / len(sockets) * 1000:.2f} ms of processor time")
    print(f"a second without events: {idle * 1000:.1f} ms")
    print(f"a message without websockets: {alone / MESSAGES * 1000:.2f} ms")
    print(f"a message to {MEMBERS} members: {pushed / MESSAGES * 1000:.2f} ms")


async def received(socket: Any) -> None:
    for _ in range(MESSAGES):
        await socket.recv()


def main() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rolecall.cli", "serve", "--port", str(port)]
        server = subprocess.Popen([*command, "--database", f"sqlite:///{folder}/x.db"], stdout=subprocess.PIPE)
        assert server.stdout is not None
        server.stdout.readline()
        try:
            asyncio.run(run(server.pid, Chat(port)))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
