"""OIDC and SAML identity providers."""
