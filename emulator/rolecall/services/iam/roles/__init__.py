"""IAM roles: the role, its trust policy and policies, and service-linked roles."""
