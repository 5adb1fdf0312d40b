"""Access: gathers the policies that bear on a call, asks the policy engine, and words the refusal.

Owned here: the cache of compiled policies, the request context, which credentials may call which service.
Not here: who the caller is (identities), how policies are evaluated (policy), what an operation does.
"""
