"""Policy documents that a sandbox file names by their files: ``document_file`` in place of ``document``, and the like.

The files are read before the checks, so that every check sees a document in the place that it knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from rolecall.worlds.files import ElsewhereError, read_beside
from rolecall.worlds.located import Located, Path, UnreadableError, read_located
from rolecall.worlds.policy_problems import pointed_at

# The key of a document -> the key that names its file. The files of inline policies are a mapping of names to files.
FILE_KEYS: Mapping[str, str] = {
    "document": "document_file",
    "trust_policy": "trust_policy_file",
    "inline_policies": "inline_policy_files",
}
# Ten times what any policy may have, because blanks do not count.
MAXIMUM_DOCUMENT_BYTES = 1_048_576
_NOUNS = ("policies", "users", "groups", "roles")
_CONTROL_NOUNS = ("service_control_policies", "resource_control_policies", "management_policies")


class DocumentFile(str):
    """The text of a policy document from a file. ``path`` is the file's place in the sandbox file.

    ``problem`` says why there is no text; the text is then empty.
    """

    __slots__ = ("name", "path", "problem")

    def __new__(cls, text: str, path: Path, name: str, problem: str = "") -> DocumentFile:
        made = super().__new__(cls, text)
        made.path, made.name, made.problem = path, name, problem
        return made

    path: Path
    name: str
    problem: str

    def place(self, pointer: str) -> str:
        """``policies/read.json:7``, the line of a part of the document."""
        try:
            line = read_located(str(self)).line(pointed_at(pointer, json.loads(self)))
        except (UnreadableError, ValueError, RecursionError):
            line = 1
        return f"{self.name}:{line}"


def read_document_files(located: Located, folder: str | None) -> bool:
    """Put the text of every document that the file names into its place. Files are in ``folder`` or below it.

    Returns whether the file names any.
    """
    names_files = False
    for path, owner in _owners(located.value):
        for key, file_key in FILE_KEYS.items():
            if file_key not in owner:
                continue
            named = owner.pop(file_key)
            names_files = True
            if key != "inline_policies":
                found = _read((*path, file_key), named, folder, excluded=key if key in owner else "")
                owner[key] = found
                located.came_from((*path, key), (*path, file_key))
            else:
                _inline(located, path, owner, named, folder)
    return names_files


def _inline(located: Located, path: Path, owner: dict[str, Any], named: Any, folder: str | None) -> None:
    key, file_key = "inline_policies", FILE_KEYS["inline_policies"]
    inline = owner.get(key, {})
    if not isinstance(inline, dict):
        return
    if not isinstance(named, dict):
        owner[key] = DocumentFile("", (*path, file_key), "", "must be a mapping")
        return
    owner[key] = dict(inline)
    for name, file in named.items():
        file_path = (*path, file_key, name)
        owner[key][name] = _read(file_path, file, folder, excluded=f"{key}.{name}" if name in inline else "")
        located.came_from((*path, key, name), file_path)


def _read(path: Path, name: Any, folder: str | None, *, excluded: str) -> DocumentFile:
    if excluded:
        return DocumentFile("", path, "", f"excludes {excluded}: leave one of them out")
    if not isinstance(name, str) or not name:
        return DocumentFile("", path, "", "must be the path of a file")
    try:
        return DocumentFile(read_beside(folder, name, MAXIMUM_DOCUMENT_BYTES), path, name)
    except ElsewhereError as error:
        problem = str(error)
    except (OSError, ValueError) as error:
        problem = f"cannot read {name}: {getattr(error, 'strerror', None) or error}"
    return DocumentFile("", path, name, problem)


def _owners(world: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every mapping that may name the file of a document."""
    if not isinstance(world, dict):
        return
    for noun in _CONTROL_NOUNS:
        yield from _members(("organization", noun), world.get("organization"), noun)
    for path, account in _members(("accounts",), world, "accounts"):
        for noun in _NOUNS:
            for owner_path, owner in _members((*path, noun), account, noun):
                yield owner_path, owner
                yield from _members((*owner_path, "versions"), owner, "versions")


def _members(path: Path, owner: Any, key: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    listed = owner.get(key) if isinstance(owner, dict) else None
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(each, dict):
            yield (*path, index), cast("dict[str, Any]", each)
