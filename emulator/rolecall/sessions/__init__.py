"""Sessions: mints temporary credentials, and seals and opens the tokens that stand for them.

Owned here: the key ring as a value, sealed tokens and their purposes, access key ids and secrets of sessions; signing
keys, web identity tokens, and the keys of issuers outside, which are the only thing that is ever fetched.
Not here: where keys are stored, which provider an account trusts, who may have a session, what a session may do.
"""
