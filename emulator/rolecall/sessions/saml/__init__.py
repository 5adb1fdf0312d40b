"""SAML 2.0: an identity provider's metadata read, its responses verified, and responses made and signed.

Owned here: what is XML of it. ``door`` is the way in: everything behind it needs the extra ``saml`` (signxml on lxml)
and is loaded on first use. Not here: what AWS makes of an assertion, which is decided in STS.
"""
