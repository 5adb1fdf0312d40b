"""The log of calls: what became of every call, and what explains a refusal.

Owned here: the outcome that the gateway hands over, the thread that writes it down, how a call is found and shown, its
CloudTrail record, the counters, and when keys and roles were last used. Not here: deciding about a call
(:mod:`rolecall.policy`), and the log's file (:mod:`rolecall.storage.decision_log`).
"""
