"""Pages that need no network: assets of the folder web/, and data packed into them."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from string import Template
from typing import Any


def asset(name: str) -> str:
    """A file of the folder web/."""
    return resources.files(__package__).joinpath("web", name).read_text("utf-8")


def packed(data: Any) -> str:
    """A text, or data as JSON, as gzip in base64: what patchsweep.unpack takes. The
    same data give the same text."""
    text = data if isinstance(data, str) else json.dumps(
        data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def encoded(array: Any) -> str:
    """The bytes of an array, in base64."""
    return base64.b64encode(array.tobytes()).decode()


def page(title: str, body: str, payloads: Mapping[str, str],
         scripts: Iterable[str]) -> str:
    """A whole page. payloads: id -> packed text."""
    kept = "\n".join(f'<script type="text/plain" id="{html.escape(name)}">{text}</script>'
                     for name, text in payloads.items())
    return Template(asset("page.html")).substitute(
        title=html.escape(title), style=asset("style.css"), body=body, payloads=kept,
        script="\n".join(asset(name) for name in ("common.js", *scripts)))
