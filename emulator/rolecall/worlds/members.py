"""Members of the sandbox file's records, each declared once: its key, its check, the column that keeps it.

The declaration drives the check of a file (:func:`record_of`), the set-up (:func:`columns_of`, :func:`new_columns_of`)
and the snapshot (:func:`section_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, dataclass_transform

from msgspec import Struct, StructMeta, field

from rolecall.clock import iso8601
from rolecall.reprs import repr_without
from rolecall.worlds import checking as c

Row = Mapping[str, Any]
Show = Callable[[Any], Any]
_MISSING: Final = object()


class Member(Struct, frozen=True):
    """One member of a record.

    - ``key``: its key in the file.
    - ``column``: the column of the record's own row that has its value; empty for a member with rows of its own.
    - ``once``: the column is written only when the row is created.
    - ``show``: from the column's value to the value in a snapshot.
    """

    key: str
    check: c.Check
    column: str
    once: bool
    show: Show
    required: bool


class _Facts(Struct, frozen=True):
    """What a class says of one of its members. ``column`` is None for a member without a column."""

    check: c.Check
    default: Any = _MISSING
    factory: Any = _MISSING
    key: str = ""
    column: str | None = None
    once: bool = False
    show: Show | None = None
    secret: bool = False

    @property
    def value(self) -> Any:
        if self.factory is not _MISSING:
            return field(default_factory=self.factory)
        return field() if self.default is _MISSING else field(default=self.default)


def member(
    check: c.Check, default: Any = _MISSING, *, key: str = "", factory: Any = _MISSING, secret: bool = False
) -> Any:
    """A member without a column. It is required if it has no default. Without ``key``, the key is the member's name."""
    return _Facts(check, default, factory, key, secret=secret)


def column(
    check: c.Check,
    default: Any = _MISSING,
    name: str = "",
    *,
    key: str = "",
    once: bool = False,
    show: Show | None = None,
    secret: bool = False,
) -> Any:
    """A member with a column. Without ``name``, the column has the member's name."""
    return _Facts(check, default, key=key, column=name, once=once, show=show, secret=secret)


def moment(*, once: bool = False) -> Any:
    """A time: seconds in the column, text in the file. The key of ``created_at_seconds`` is ``created_at``."""
    return column(c.moment, None, once=once, show=iso8601)


def list_of(make: type) -> Any:
    """A member that is a list of records of the class."""
    return member(c.list_of(record_of(make)), ())


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(member, column, moment, list_of))
class _DeclaredMeta(StructMeta):
    """Makes a frozen struct of the class, whose members are given by name. Secret members are not in its text."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        own = {member: facts for member, facts in namespace.items() if isinstance(facts, _Facts)}
        known: dict[str, _Facts] = {}
        for base in bases:
            known |= getattr(base, "_declared", {})
        known |= own
        hidden = [member for member, facts in known.items() if facts.secret]
        shown = {"__repr__": repr_without(*hidden)} if hidden else {}
        values = {member: facts.value for member, facts in own.items()}
        return super().__new__(
            cls, name, bases, {**namespace, **values, **shown, "_declared": known}, frozen=True, kw_only=True
        )


class Declared(Struct, metaclass=_DeclaredMeta):
    """The base of the records. Each member is declared with :func:`member`, :func:`column` or another one above."""


@lru_cache(maxsize=64)
def members_of(make: Any) -> Mapping[str, Member]:
    """The members of a record's class, by name."""
    found = {}
    for name, facts in make._declared.items():
        found[name] = Member(
            key=facts.key or (name.removesuffix("_seconds") if name.endswith("_at_seconds") else name),
            check=facts.check,
            column="" if facts.column is None else facts.column or name,
            once=facts.once,
            show=facts.show or _as_it_is,
            required=facts.default is _MISSING and facts.factory is _MISSING,
        )
    return MappingProxyType(found)


def _as_it_is(value: Any) -> Any:
    return value


def record_of(make: type) -> c.Check:
    """The check of a mapping in the file. The result is a record of the class."""
    members = members_of(make)
    required = tuple(each.key for each in members.values() if each.required)
    return c.record(make, {each.key: (name, each.check) for name, each in members.items()}, required)


def columns_of(record: Any) -> dict[str, Any]:
    """The columns that always get the record's values."""
    return {each.column: getattr(record, name) for name, each in _kept(record) if not each.once}


def new_columns_of(record: Any) -> dict[str, Any]:
    """The values that the record has for columns that are written only when the row is created."""
    return declared({each.column: getattr(record, name) for name, each in _kept(record) if each.once})


def _kept(record: Any) -> list[tuple[str, Member]]:
    make: type = type(record)
    return [(name, each) for name, each in members_of(make).items() if each.column]


def declared(columns: Row) -> dict[str, Any]:
    """The columns that have a value."""
    return {name: value for name, value in columns.items() if value is not None}


def section_of(make: type, row: Row, **more: Any) -> dict[str, Any]:
    """A snapshot's mapping of a row, in the order of the class. ``more`` has the members without a column, by key."""
    section = {}
    for each in members_of(make).values():
        if each.key in more:
            section[each.key] = more[each.key]
        elif each.column and row[each.column] is not None:
            section[each.key] = each.show(row[each.column])
    return section
