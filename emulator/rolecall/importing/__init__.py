"""Brings real accounts into a sandbox file: from the files that AWS's and other tools write about them, and back.

Each kind of file has a module that reads it. All put what they find into one :class:`~rolecall.importing.found.Found`,
which becomes a sandbox file, or a list of problems with file and line. Nothing here calls AWS or a server.
"""
