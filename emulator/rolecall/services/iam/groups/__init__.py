"""IAM groups: the group, its members and its policies."""
