"""The addresses of a meeting's media. They have AWS's forms, below a name of Rolecall's own.

Recorded: amazon-chime-sdk-js, issue 1767. Nothing answers at these addresses. Names below ``localhost`` never leave the
machine (RFC 6761), so a client cannot reach AWS by mistake.
"""

from __future__ import annotations

MEDIA_DOMAIN = "chime.rolecall.localhost"
# AWS's names of media that IPv6 reaches are not recorded.
_DUAL_STACK_DOMAIN = f"dualstack.{MEDIA_DOMAIN}"
DUAL_STACK = "DualStack"
_AUDIO_HOST_DIGITS = 32


def media_placement(meeting_id: str, media_region: str, network_type: str) -> dict[str, str]:
    """The addresses of a meeting whose media are in ``media_region``."""
    domain = _DUAL_STACK_DOMAIN if network_type == DUAL_STACK else MEDIA_DOMAIN
    short = short_region(media_region)
    app = f"{short}.app.{domain}"
    audio_host = meeting_id.replace("-", "")[:_AUDIO_HOST_DIGITS]
    screen = f"wss://bitpw.m1.{app}:443/v2/screen/{meeting_id}"
    return {
        "AudioHostUrl": f"{audio_host}.k.m1.{app}:3478",
        "AudioFallbackUrl": f"wss://haxrp.m1.{app}:443/calls/{meeting_id}",
        "SignalingUrl": f"wss://signal.m1.{app}/control/{meeting_id}",
        "TurnControlUrl": f"https://ccp.cp.{app}/v2/turn_sessions",
        "ScreenDataUrl": screen,
        "ScreenViewingUrl": screen,
        "ScreenSharingUrl": screen,
        "EventIngestionUrl": f"https://data.svc.{short}.ingest.{domain}/v1/client-events",
    }


def short_region(region: str) -> str:
    """``ue1`` of ``us-east-1``, as recorded; the first letters of the words otherwise."""
    area, *directions, number = region.split("-")
    return area[0] + "".join(word[0] for word in directions) + number
