"""Answers without an end, such as the console's live list of calls.

A server that can keep an answer open puts ``STREAM_KEY`` into a request's environment. The page may put there what is
to be followed (:mod:`rolecall.web.console.live_calls`). The server then sends the page's answer as the beginning of the
stream. Any other server sends the same answer and ends it, and the browser asks again.
"""

from __future__ import annotations

STREAM_KEY = "rolecall.stream"
