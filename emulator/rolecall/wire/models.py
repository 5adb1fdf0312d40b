"""Botocore's service models as plain records, read from its data files without importing botocore.

Importing botocore's own model classes costs more than a tenth of a second at start-up. The files are gzipped JSON, and
botocore keeps their layout stable, so this module reads them directly. It drops documentation texts at once.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from rolecall.service_records import SERVICE_RECORDS, ServiceRecord


def _data_folder() -> Path | None:
    """Botocore's folder of models; None when botocore is not installed."""
    spec = find_spec("botocore")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "data"


def _absent() -> frozenset[str]:
    """The services that the installed botocore is too old to have a model of. Rolecall treats them as unknown."""
    folder = _data_folder()
    return frozenset(name for name in _NEWER_MODELS if folder is not None and not (folder / name).is_dir())


# Models that the oldest supported botocore does not have.
_NEWER_MODELS = ("iam-toolbox", "signin")
_ABSENT = _absent()

KNOWN_SERVICES: Mapping[str, ServiceRecord] = MappingProxyType(
    {name: record for name, record in SERVICE_RECORDS.items() if name not in _ABSENT}
)
SERVICES: tuple[str, ...] = tuple(KNOWN_SERVICES)


class Member(Struct, frozen=True):
    """One member of a structure, the element of a list, or the key or value of a map."""

    shape: Shape
    wire_name: str
    location: str
    timestamp_format: str


class Shape(Struct, frozen=True):
    """One shape of a model. ``type`` is botocore's word: structure, list, map, string, integer, long, …"""

    name: str
    type: str
    traits: Mapping[str, Any]
    model: Model

    @property
    def members(self) -> dict[str, Member]:
        return {name: self.model.member(raw, name) for name, raw in self.traits.get("members", {}).items()}

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self.traits.get("required", ()))

    @property
    def sensitive(self) -> bool:
        return bool(self.traits.get("sensitive"))

    @property
    def flattened(self) -> bool:
        return bool(self.traits.get("flattened"))

    def part(self, name: str) -> Member:
        """``member`` of a list, ``key`` or ``value`` of a map."""
        return self.model.member(self.traits[name], name)


class Model:
    """One service's model: metadata, operations as botocore writes them, and shapes by name."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.metadata: Mapping[str, Any] = raw["metadata"]
        self.operations: Mapping[str, Any] = raw["operations"]
        self._shapes: Mapping[str, Any] = raw["shapes"]

    def shape(self, name: str) -> Shape:
        traits = self._shapes[name]
        return Shape(name, traits["type"], traits, self)

    def member(self, raw: Mapping[str, Any], name: str) -> Member:
        shape = self.shape(raw["shape"])
        # In XML and forms a flattened list has no element of its own: its elements stand in its place, under their own
        # name if they have one.
        flattened = shape.type == "list" and shape.flattened and self.metadata["protocol"] == "query"
        element_name = shape.traits["member"].get("locationName") if flattened else None
        return Member(
            shape,
            element_name or raw.get("locationName", name),
            raw.get("location", ""),
            raw.get("timestampFormat", shape.traits.get("timestampFormat", "")),
        )

    def exceptions(self) -> dict[str, Shape]:
        return {name: self.shape(name) for name, traits in self._shapes.items() if traits.get("exception")}

    def enum(self, shape_name: str) -> tuple[str, ...]:
        """The values of an enumeration; empty when the model has no such shape."""
        return tuple(self._shapes.get(shape_name, {}).get("enum", ()))


def load_model(name: str) -> Model:
    """The newest model of the service that the installed botocore ships. Raises LookupError when there is none."""
    if _data_folder() is None:
        raise LookupError("botocore is not installed")
    for file in model_files(name):
        octets = file.read_bytes()
        return Model(_without_documentation(json.loads(gzip.decompress(octets) if file.suffix == ".gz" else octets)))
    raise LookupError(f"the installed botocore has no model of {name}")


def model_files(name: str) -> Iterator[Path]:
    """The files of the service's models that the installed botocore ships, the newest first."""
    data = _data_folder()
    if data is None:
        return
    for version in sorted((path for path in (data / name).glob("*") if path.is_dir()), reverse=True):
        for file in (version / "service-2.json.gz", version / "service-2.json"):
            if file.exists():
                yield file
                break


def load_partitions() -> list[dict[str, Any]]:
    """The partitions of AWS as botocore describes them; none when botocore is not installed."""
    data = _data_folder()
    if data is None:
        return []
    partitions: list[dict[str, Any]] = json.loads((data / "partitions.json").read_bytes())["partitions"]
    return partitions


def _without_documentation(raw: dict[str, Any]) -> dict[str, Any]:
    for operation in raw["operations"].values():
        operation.pop("documentation", None)
    for shape in raw["shapes"].values():
        shape.pop("documentation", None)
        for member in shape.get("members", {}).values():
            member.pop("documentation", None)
    return raw
