"""Sessions: mints temporary credentials, and seals and opens the tokens that stand for them.

Owned here: the key ring as a value, sealed tokens and their purposes, access key ids and secrets of sessions.
Not here: where keys are stored, who may have a session, what a session may do.
"""
