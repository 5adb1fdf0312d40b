"""Identity providers that Rolecall itself is, so that a test needs nothing from outside.

Owned here: OpenID Connect tokens and SAML assertions that it signs, the documents that verify them, and the codes of
virtual MFA devices. Not here: verifying what a caller brings (:mod:`rolecall.sessions`).
"""
