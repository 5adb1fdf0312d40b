"""Managed policies: the policy, its versions and tags, and the entities that it is attached to."""
