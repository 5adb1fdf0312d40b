"""The log of calls: the outcome of every call, and the explanation of every refusal.

Owned here: the outcome that the gateway passes on, the thread that writes it, finding and showing a call, its
CloudTrail record, the counters, and when keys and roles were last used. Not here: deciding about a call
(:mod:`rolecall.policy`), and the log's file (:mod:`rolecall.storage.decision_log`).
"""
