"""The access portal of IAM Identity Center: a user's accounts and roles, and credentials of a role."""
