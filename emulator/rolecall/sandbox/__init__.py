"""Sandbox: declared worlds, and what became of every call.

Owned here: reading a sandbox file, saying everything that is wrong with it, setting the world up; the decision log and
what it tells of a refusal; Rolecall as an issuer of web identity tokens. Not here: serving the world, or changing it
afterwards, which the AWS operations are for.
"""
