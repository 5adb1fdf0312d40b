"""IAM users: the user, with policies, access keys, passwords, MFA devices and signing certificates."""
