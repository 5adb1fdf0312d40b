"""Web: HTTP on one side, requests and answers as values on the other.

Owned here: reading WSGI, body limits, response headers, the control endpoints.
Not here: anything AWS; an AWS call is handed to the gateway as it came.
"""
