"""The road of one call, from an HTTP request to an HTTP answer. Read it from the top of ``Gateway.answer``.

``road`` lists the steps. ``received`` is the call as it came, ``caller`` finds the caller, ``permission`` decides
whether the call is allowed, ``operation`` calls the operation. AWS errors are caught in ``road`` and nowhere else.
"""

from rolecall.gateway.road import Gateway

__all__ = ["Gateway"]
