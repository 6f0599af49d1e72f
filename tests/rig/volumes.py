"""The volumes of a pod as the kubelet keeps them: files that follow ConfigMaps, Secrets and tokens, swapped as one.

All files of a volume are in a folder with a date for a name, and are reached by way of the link `..data`, which is
renamed into place: nobody ever sees half a change. https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter
"""

from __future__ import annotations

import base64
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.rig.api import Api, ApiError, Json, path
from tests.rig.environment import field_of
from tests.rig.errors import RigError

# Seconds between two looks. A kubelet takes up to a minute.
_EVERY = 0.3
_DATA = "..data"


@dataclass(frozen=True)
class File:
    """A file of a volume."""

    content: bytes
    mode: int


Files = Mapping[str, File]
"""By their paths within the volume."""


def swap(folder: Path, files: Files) -> None:
    """Make the files of a volume these, in one step for whoever reads them; nothing where they are these already."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / _DATA
    before = data.resolve() if data.is_symlink() else None
    if before is not None and _read(before) == files:
        return
    fresh = Path(tempfile.mkdtemp(prefix=time.strftime("..%Y_%m_%d_%H_%M_%S."), dir=folder))
    fresh.chmod(0o755)
    for name, file in files.items():
        place = fresh / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
        place.chmod(file.mode)
    link = folder / f"{_DATA}_tmp"
    link.symlink_to(fresh.name)
    link.replace(data)
    wanted = {name.partition("/")[0] for name in files}
    for name in wanted:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{_DATA}/{name}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    if before is not None:
        shutil.rmtree(before)


class Volumes:
    """The volumes that a container of a pod mounts, below a folder; a context manager that follows their objects."""

    def __init__(self, api: Api, pod: Json, container: Json, folder: Path) -> None:
        self._api = api
        self._pod = pod
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        self._mounted = {}
        self._places: dict[str, Path] = {}
        for mount in container["volumeMounts"]:
            if "subPath" in mount:
                msg = f"{mount['mountPath']} is a subPath mount, which no kubelet ever updates"
                raise RigError(msg)
            self._mounted[mount["name"]] = volumes[mount["name"]]
            self._places[mount["mountPath"].rstrip("/")] = folder / mount["name"]
        self._folder = folder
        self._tokens: dict[tuple[str | None, int], tuple[bytes, float]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="volumes", daemon=True)

    def here(self, text: str) -> str:
        """The text where it is no path within a mounted volume; else that path on this machine."""
        for mounted, place in sorted(self._places.items(), key=lambda item: len(item[0]), reverse=True):
            if text == mounted or text.startswith(f"{mounted}/"):
                return str(place) + text.removeprefix(mounted)
        return text

    def sync(self) -> None:
        """Bring all of them up to date. Raises `RigError` where an object is missing, as the kubelet waits for it."""
        for name, volume in self._mounted.items():
            if "emptyDir" in volume:
                (self._folder / name).mkdir(parents=True, exist_ok=True)
            else:
                swap(self._folder / name, self._files(volume))

    def __enter__(self) -> Self:
        self.sync()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._closing.wait(_EVERY):
            try:
                self.sync()
            except (RigError, ApiError, requests.RequestException):
                # As the kubelet does: what is there stays, and the next look may find what this one did not.
                continue

    def _files(self, volume: Json) -> dict[str, File]:
        match volume:
            case {"configMap": source}:
                return self._of_object("configmaps", source["name"], source, source["defaultMode"])
            case {"secret": source}:
                return self._of_object("secrets", source["secretName"], source, source["defaultMode"])
            case {"projected": source}:
                return {
                    name: file
                    for part in source["sources"]
                    for name, file in self._projected(part, source["defaultMode"]).items()
                }
        msg = f"the rig does not know the volume {volume}"
        raise RigError(msg)

    def _projected(self, part: Json, mode: int) -> dict[str, File]:
        match part:
            case {"configMap": source}:
                return self._of_object("configmaps", source["name"], source, mode)
            case {"secret": source}:
                return self._of_object("secrets", source["name"], source, mode)
            case {"serviceAccountToken": source}:
                return {source["path"]: File(self._token(source), mode)}
            case {"downwardAPI": source}:
                return {
                    item["path"]: File(
                        field_of(self._pod, item["fieldRef"]["fieldPath"]).encode(), item.get("mode", mode)
                    )
                    for item in source["items"]
                }
        msg = f"the rig does not know the projected source {part}"
        raise RigError(msg)

    def _of_object(self, kind: str, name: str, source: Json, mode: int) -> dict[str, File]:
        item = self._api.find(kind, self._pod["metadata"]["namespace"], name)
        optional = source.get("optional", False)
        if item is None and not optional:
            msg = f"the container does not start: there is no {kind}/{name}"
            raise RigError(msg)
        data = _content(kind, item or {})
        if "items" not in source:
            return {key: File(content, mode) for key, content in data.items()}
        if not optional and (missing := [entry["key"] for entry in source["items"] if entry["key"] not in data]):
            msg = f"the container does not start: {kind}/{name} has no key {', '.join(missing)}"
            raise RigError(msg)
        return {
            entry["path"]: File(data[entry["key"]], entry.get("mode", mode))
            for entry in source["items"]
            if entry["key"] in data
        }

    def _token(self, source: Json) -> bytes:
        """A token that is bound to the pod, and a new one when four fifths of its time are over."""
        audience, seconds = source.get("audience"), source["expirationSeconds"]
        token, until = self._tokens.get((audience, seconds), (b"", 0.0))
        if time.monotonic() > until:
            metadata = self._pod["metadata"]
            bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
            spec = {"expirationSeconds": seconds, "boundObjectRef": bound, "audiences": [audience] if audience else []}
            where = path("serviceaccounts", metadata["namespace"], self._pod["spec"]["serviceAccountName"], "token")
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
            token = self._api.request("POST", where, body=body)["status"]["token"].encode()
            self._tokens[audience, seconds] = (token, time.monotonic() + seconds * 0.8)
        return token


def _content(kind: str, item: Json) -> dict[str, bytes]:
    data: dict[str, str] = item.get("data") or {}
    if kind == "secrets":
        return {key: base64.b64decode(value) for key, value in data.items()}
    binary: dict[str, str] = item.get("binaryData") or {}
    return {
        **{key: value.encode() for key, value in data.items()},
        **{key: base64.b64decode(value) for key, value in binary.items()},
    }


def _read(folder: Path) -> dict[str, File]:
    return {
        str(file.relative_to(folder)): File(file.read_bytes(), file.stat().st_mode & 0o777)
        for file in folder.rglob("*")
        if file.is_file()
    }
