"""Storage: tables, transactions, migrations, and the queries that more than one room needs.

Owned here: the schema, how Rolecall uses SQLite, and the generation: a number that rises when authorisation data
changes. Not here: what an operation means, AWS's messages, policy evaluation.
"""
