"""Services: what each operation of STS, IAM and Chime does.

One file per noun, one function per operation, registered by its AWS name (see ``registry``) and listed in
``catalogue``. A service never imports another. What two services need lives in ``storage`` or ``access``.
"""
