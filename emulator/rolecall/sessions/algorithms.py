"""The algorithms of web identity tokens. IAM API reference and model of STS, AssumeRoleWithWebIdentity: only these."""

from __future__ import annotations

# Those with elliptic curves, and the name of each one's curve.
CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
RSA_ALGORITHMS = ("RS256", "RS384", "RS512")
ALGORITHMS = (*RSA_ALGORITHMS, *CURVES)
