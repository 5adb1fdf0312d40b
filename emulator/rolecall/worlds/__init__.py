"""Worlds: what a sandbox file declares.

Owned here: reading a sandbox file, reporting all its problems at once, setting its world up in the database, and
snapshots, which write a world as a sandbox file. Not here: changing a world afterwards, which the AWS operations do,
and the file's keys of its own identity providers (:mod:`rolecall.identity_providers`).
"""
