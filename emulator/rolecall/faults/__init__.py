"""Faults: rules that make calls fail, come late, or end without an answer, for tests of a program's error handling.

Owned here: the rules as values, and which of them affect a call. Not here: how the gateway carries out their effect.
"""
