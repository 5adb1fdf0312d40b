"""Sessions: creates temporary credentials, and seals and opens the tokens that carry them.

Owned here: the key ring as a value, sealed tokens and their purposes, access key ids and secrets of sessions, signing
keys, and web identity tokens. So are the keys of outside issuers, which are the only thing that Rolecall ever fetches.
Not here: where keys are stored, which provider an account trusts, who may have a session, what a session may do.
"""
