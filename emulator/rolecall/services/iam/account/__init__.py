"""What an account has set: its summary, the rules for passwords, and what it centralizes or federates."""
