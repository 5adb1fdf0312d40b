"""Web: HTTP outside, requests and answers as values inside.

Owned here: reading WSGI, body limits, response headers, the control endpoints.
Not here: anything about AWS. An AWS call goes to the gateway unchanged.
"""
