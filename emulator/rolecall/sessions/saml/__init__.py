"""SAML 2.0: reads an identity provider's metadata, verifies its responses, and makes and signs responses.

Owned here: the XML of SAML. ``door`` is the entrance: everything behind it needs the extra ``saml`` (signxml on lxml)
and is loaded on first use. Not here: what AWS makes of an assertion, which STS decides.
"""
