"""Rolecall's own identity providers, so that a test needs no outside service.

Owned here: OpenID Connect tokens and SAML assertions that Rolecall signs, the documents that verify them, and the codes
of virtual MFA devices. Not here: verifying a caller's tokens and assertions (:mod:`rolecall.sessions`).
"""
