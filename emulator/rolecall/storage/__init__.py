"""Storage: tables, transactions, migrations, and the queries that more than one place needs.

Owned here: the schema, SQLite's ways, the generation that tells when authorisation data changed.
Not here: what an operation means, AWS's messages, policy evaluation.
"""
