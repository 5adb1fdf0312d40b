"""Faults: rules that make calls fail, come late, or end without an answer, so that programs can be tested for it.

Owned here: the rules as values, and which of them strike a call. Not here: what the gateway does with a call that was
struck.
"""
