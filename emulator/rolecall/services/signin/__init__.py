"""Sign-In: the tokens of ``aws login``, and the sessions that they belong to.

Owned here: the operations. Not here: the page on which a user approves a program, which ``web`` and ``signin`` have.
"""
