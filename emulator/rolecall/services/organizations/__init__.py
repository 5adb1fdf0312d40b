"""AWS Organizations: the accounts, units and policies of the sandbox's organization."""
