"""Managed policies: the policy, its versions and tags, and the entities that have it."""
