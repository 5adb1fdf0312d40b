"""Channels and who is in them (Amazon Chime SDK API reference and Developer Guide)."""

from __future__ import annotations
from typing import Any
import pytest
from tests.services.messaging_calls import Chat, world_of

@pytest.fixture
def chat(make_world: Any) -> Chat:
    return Chat(make_world(world_of()))

def test_smoke(chat):
    c = chat.channel()
    print(chat.call("DescribeChannel","ana",ChannelArn=c))
    chat.join(c,"ben")
    print(chat.members(c))
    m=chat.send(c)
    chat.send(c,"ben","yo")
    print(chat.call("ListChannelMessages","ana",ChannelArn=c))
    print(chat.texts(c,"ben"), chat.refused("ListChannelMessages","cem",ChannelArn=c))
    print(chat.call("GetChannelMessage","ana",ChannelArn=c,MessageId=m))
    print(chat.call("GetChannelMessageStatus","ana",ChannelArn=c,MessageId=m))
    print(chat.call("UpdateChannelMessage","ana",ChannelArn=c,MessageId=m,Content="x"))
    print(chat.call("RedactChannelMessage","ana",ChannelArn=c,MessageId=m))
    print(chat.call("CreateChannelBan","ana",ChannelArn=c,MemberArn="ben"))
    print(chat.call("DescribeChannelBan","ana",ChannelArn=c,MemberArn="ben"))
    print(chat.call("ListChannelBans","ana",ChannelArn=c))
    print(chat.call("CreateChannelModerator","ana",ChannelArn=c,ChannelModeratorArn="cem"))
    print(chat.call("ListChannelModerators","ana",ChannelArn=c))
    print(chat.call("ListChannels","ana",AppInstanceArn=chat.instance))
    print(chat.call("ListChannels","root",AppInstanceArn=chat.instance))
    print(chat.call("ListChannelMembershipsForAppInstanceUser","ana"))
    print(chat.call("ListChannelsModeratedByAppInstanceUser","ana"))
    print(chat.call("SearchChannels","root",Fields=[{"Key":"MEMBERS","Operator":"EQUALS","Values":[chat.arn("ana")]}]))
    print(chat.call("DeleteChannelMessage","root",ChannelArn=c,MessageId=m))
    chat.call("DeleteChannel","ana",ChannelArn=c)
    assert 0
