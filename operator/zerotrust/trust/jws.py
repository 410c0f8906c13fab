"""JSON Web Signatures by hand (RFC 7515): libraries rightly refuse to make most of what an attacker sends."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SEGMENT = re.compile(r"[A-Za-z0-9_-]*")


class NotCompactError(ValueError):
    """The text is no JWS in compact serialisation with JSON objects for header and payload."""


@dataclass(frozen=True, slots=True)
class Compact:
    """A JWS taken apart (RFC 7515 §7.1)."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes


def encode(octets: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(segment: str) -> bytes:
    """Undo `encode`; anything `encode` would not have written is `NotCompactError`."""
    if not SEGMENT.fullmatch(segment) or len(segment) % 4 == 1:
        raise NotCompactError(segment)
    octets = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if encode(octets) != segment:
        raise NotCompactError(segment)
    return octets


def compact_json(value: Mapping[str, Any]) -> bytes:
    """JSON without white space, members in the order given."""
    return json.dumps(dict(value), separators=(",", ":")).encode()


def signing_input(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bytes:
    """What a signature covers (RFC 7515 §5.1)."""
    return f"{encode(compact_json(header))}.{encode(compact_json(claims))}".encode()


def join(signed: bytes, signature: bytes) -> str:
    """A signing input and a signature as one token."""
    return f"{signed.decode()}.{encode(signature)}"


def split(token: str) -> Compact:
    """Take a token apart, or raise `NotCompactError`."""
    segments = token.split(".")
    if len(segments) != 3:
        raise NotCompactError(token)
    header, claims, signature = map(decode, segments)
    return Compact(_object(header), _object(claims), token.rpartition(".")[0].encode(), signature)


def _object(text: bytes) -> dict[str, Any]:
    """A JSON object; RFC 8259 knows no NaN and no infinity."""
    try:
        value = json.loads(text.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotCompactError("not JSON") from error
    if not isinstance(value, dict):
        raise NotCompactError("not an object")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(name)
