"""The road of one call, from an HTTP request to an HTTP answer: read it from the top of ``Gateway.answer``.

``road`` lists the steps, ``received`` is the call as it came, ``caller`` says who calls, ``permission`` whether it is
allowed. AWS errors are caught on the road and nowhere else.
"""

from rolecall.gateway.road import Gateway

__all__ = ["Gateway"]
