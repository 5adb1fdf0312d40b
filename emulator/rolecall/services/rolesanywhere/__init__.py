"""IAM Roles Anywhere: trust anchors, profiles, revocation lists, and the subjects that were seen."""
