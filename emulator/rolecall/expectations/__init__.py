"""Expectations: who may do what in a sandbox, checked and looked up without a call.

Owned here: the expectations file (files), its check against a sandbox (verifying, report), who may do an action
(holders), the chains of roles from one principal to another (chains). All of them ask the policy engine the question of
a real call (asking): the same rights, the same permissions of AssumeRole, the same rules on kinds of credentials.
Actions that the same statements match are decided once (actions). A question about any resource is answered with a
resource that shows it (witness). Not here: what a policy means (policy), which policies a principal has (access,
identities).
"""
