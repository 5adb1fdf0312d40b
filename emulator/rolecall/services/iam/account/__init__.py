"""The settings of an account: its summary, its password rules, and centralized root access and federation."""
