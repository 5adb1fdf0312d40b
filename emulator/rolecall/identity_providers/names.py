"""Names of Rolecall's own identity providers. The sandbox file is checked against them before anything is signed."""

from __future__ import annotations

import re

IDP_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
