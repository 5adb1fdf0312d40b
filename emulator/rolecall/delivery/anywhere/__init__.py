"""IAM Roles Anywhere: sessions of roles for the holders of certificates.

Owned here: what CreateSession checks, and what it records. The other operations are in ``services.rolesanywhere``.
"""
