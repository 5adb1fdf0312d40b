"""The OIDC service of IAM Identity Center: clients register, users approve them, clients get tokens.

Owned here: the operations. Not here: the pages on which a user approves, which ``web`` has.
"""
