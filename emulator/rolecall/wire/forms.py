"""Percent-encoding and parameters: ``a=1&b=2`` from a URL or a form body, and path labels.

A broken escape is refused in the words of AWS's Signature Version 4 front end. Bytes that are not UTF-8 and NUL
characters are refused too, because no AWS parameter can hold them.
"""

from __future__ import annotations

from rolecall.errors import AwsError

MAXIMUM_PARAMETERS = 10_000
# Up to so many escapes are decoded fastest one by one.
_FEW_ESCAPES = 16
_HEX = {high + low: chr(int(high + low, 16)) for high in "0123456789abcdefABCDEF" for low in "0123456789abcdefABCDEF"}
# The escapes of JSON, which policies are full of. None of these characters is a part of another escape.
_FREQUENT = tuple((f"%{ord(character):02X}", character) for character in '"{}[]:,/* ')
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def add_parameters(text: str, parameters: dict[str, str]) -> None:
    """Split ``text`` and add its parameters. A repeated name must have the same value each time.

    ``text`` holds one character per byte (Latin-1). Raises AwsError MalformedQueryString.
    """
    for name in split_parameters(text, parameters):
        raise repeated_parameter(name)


def split_parameters(text: str, parameters: dict[str, str]) -> list[str]:
    """As :func:`add_parameters`. The names that have several values are the result; the first value counts."""
    if text.count("&") >= MAXIMUM_PARAMETERS:
        raise AwsError("MalformedQueryString", f"The request has more than {MAXIMUM_PARAMETERS} parameters.")
    if "\x00" in text:
        raise _nul_character()
    plain = text.isascii()
    repeated: list[str] = []
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if "%" in value or "+" in value or not plain:
            value = percent_decode(value.replace("+", " "))
        if "%" in name or "+" in name or not plain:
            name = percent_decode(name.replace("+", " "))
        if name in parameters:
            if parameters[name] != value:
                repeated.append(name)
        elif name:
            parameters[name] = value
    return repeated


def values_of(text: str, name: str) -> list[str]:
    """Every value of a parameter in a text that :func:`split_parameters` has read."""
    values: list[str] = []
    for pair in text.split("&"):
        written, _, value = pair.partition("=")
        if percent_decode(written.replace("+", " ")) == name:
            values.append(percent_decode(value.replace("+", " ")))
    return values


def repeated_parameter(name: str) -> AwsError:
    return AwsError("MalformedQueryString", f"The parameter {name} has more than one value.")


def _nul_character() -> AwsError:
    return AwsError("MalformedQueryString", "The request contains a NUL character.")


def percent_decode(text: str) -> str:
    """``%41`` to ``A``. A character above ASCII stands for a byte, and the bytes must be UTF-8.

    Raises AwsError MalformedQueryString for a broken escape, broken UTF-8 or a NUL.
    """
    shortened = text
    if text.count("%") > _FEW_ESCAPES:
        for escape, character in _FREQUENT:
            shortened = shortened.replace(escape, character)
    first, *rest = shortened.split("%")
    pieces = [first]
    for part in rest:
        found = _HEX.get(part[:2])
        if found is None:
            raise _broken_escape(text)
        pieces.append(found)
        pieces.append(part[2:])
    decoded = "".join(pieces)
    if "\x00" in decoded:
        raise _nul_character()
    if decoded.isascii():
        return decoded
    try:
        return decoded.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise AwsError("MalformedQueryString", "The request is not valid UTF-8.") from None


def _broken_escape(text: str) -> AwsError:
    """The error for the first broken escape in ``text``."""
    part = next(part for part in text.split("%")[1:] if part[:2] not in _HEX)
    if len(part) < 2:
        return AwsError("MalformedQueryString", "Incomplete trailing escape % sequence")
    return AwsError("MalformedQueryString", f"Illegal hex character in escape % pattern: %{part[:2]}")


def percent_encode(text: str) -> str:
    """Strict RFC 3986: every character that is not unreserved becomes ``%XX`` in upper case."""
    return "".join(
        character if character in _UNRESERVED else "".join(f"%{byte:02X}" for byte in character.encode("utf-8"))
        for character in text
    )
