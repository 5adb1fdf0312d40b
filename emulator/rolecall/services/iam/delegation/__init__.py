"""Temporary delegation: requests of partners for access, and what becomes of them."""
