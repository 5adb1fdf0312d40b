"""Tags of the Chime SDK's resources, the same three operations in five services.

The services share the paths of these operations, so at an endpoint of all services a request does not tell which of
them it is for. The ARN tells the resource.
"""

from __future__ import annotations

from rolecall.services.verbs import tags

tags("chime-sdk-identity")
tags("chime-sdk-meetings")
tags("chime-sdk-media-pipelines")
tags("chime-sdk-messaging")
tags("chime-sdk-voice")
