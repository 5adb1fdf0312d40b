"""IAM users: the user, and its policies, access keys, passwords, MFA devices and signing certificates."""
