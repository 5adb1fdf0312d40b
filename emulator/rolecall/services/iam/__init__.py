"""IAM: users, groups, keys, policies, roles and service-linked roles. One file per noun."""
