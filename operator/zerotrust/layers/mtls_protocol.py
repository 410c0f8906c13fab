"""mTLS: the handshake itself: old versions, ciphers without secrets, borrowed certificates, other names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zerotrust.layers.base import Boundary, Coverage, Draft, Hello, Ref, Refused, Trial, refuse, statuses
from zerotrust.layers.mtls import AUTHENTICATION, REFUSALS, mtls, trusted

UNAGREED = frozenset(
    f"handshake:{how}" for how in ("protocol_version", "handshake_failure", "insufficient_security", "closed", "reset")
)
"""A handshake that finds no common ground ends before any certificate is asked for (RFC 8446 section 4.1.1)."""
UNKNOWN_NAME = (
    REFUSALS
    | frozenset(f"handshake:{how}" for how in ("unrecognized_name", "handshake_failure", "closed", "reset"))
    | statuses(400, 404, 421)
)
"""A name that is not served may be refused before, in or after the handshake (RFC 6066 section 3, RFC 9110 15.5.20)."""
NO_SUCH_NAME = "unknown.invalid"


@mtls.case(
    motive="TLS 1.0 and 1.1 can be read and changed on the way; whoever offers only them must get nothing.",
    remedy="Allow TLS 1.2 and 1.3 only (Envoy: tls_minimum_protocol_version, nginx: ssl_protocols).",
    references=("RFC 8996", "RFC 9325 section 3.1", "ASVS 5.0 V12.1.1"),
    vacuous="the probe's own library could not offer them; then nothing is sent and the case does not pass.",
)
def old_version(boundary: Boundary) -> Iterator[Draft]:
    """A trusted client that offers nothing newer than TLS 1.1 gets no connection."""
    for name, good in list(trusted(boundary))[:1]:
        yield refuse(name, good, UNAGREED, hello=Hello(newest="TLSv1.1"))


@mtls.case(
    motive="A cipher without encryption or without a server's proof is TLS in name only.",
    remedy="Take the defaults of a current TLS library; never ALL, eNULL or aNULL.",
    references=("RFC 9325 section 4.1", "ASVS 5.0 V12.1.2"),
    vacuous="the probe's own library could not offer them; then nothing is sent and the case does not pass.",
    coverage=Coverage.EXHAUSTIVE,
)
def null_cipher(boundary: Boundary) -> Iterator[Draft]:
    """A trusted client that offers only ciphers without encryption or authentication gets no connection."""
    for name, good in list(trusted(boundary))[:1]:
        kinds = {"no encryption": "eNULL", "no server certificate": "aNULL"}
        trials = [
            Trial(label, replace(good, hello=Hello(newest="TLSv1.2", ciphers=ciphers)), good)
            for label, ciphers in kinds.items()
        ]
        yield Draft(name, Refused(UNAGREED), tuple(trials))


@mtls.case(
    motive="Certificates are public: everybody who has seen one could show it.",
    remedy="Leave the handshake to a TLS library; do not accept certificates from headers or unfinished handshakes.",
    references=("RFC 8446 section 4.4.3", *AUTHENTICATION),
    vacuous="the certificate were faulty; it is the trusted one itself, and only the signature is another key's.",
    coverage=Coverage.EXHAUSTIVE,
)
def borrowed_certificate(boundary: Boundary) -> Iterator[Draft]:
    """The trusted certificate is refused from a client that does not hold its key."""
    for name, good in list(trusted(boundary))[:1]:
        yield refuse(name, good, REFUSALS, hello=Hello(key=Ref(name, "other-ca-certificate")))


@mtls.case(
    motive="A default virtual host without client authentication is a second door to the same backend.",
    remedy="Ask for client certificates in every server of the port, and refuse unknown names (ssl_reject_handshake).",
    references=("RFC 6066 section 3", "RFC 9110 section 15.5.20", *AUTHENTICATION),
    vacuous="the name alone made the server refuse: safe too, for nobody gets in by it.",
)
def other_server_name(boundary: Boundary) -> Iterator[Draft]:
    """A client without a certificate does not get in by another server name, or none."""
    for name, good in list(trusted(boundary))[:1]:
        call = good.call
        foreign = replace(call, headers=(("Host", NO_SUCH_NAME), *call.headers)) if call else None
        bare = replace(good, certificate=None)
        trials = [
            Trial("no name", replace(bare, hello=Hello(sni="")), good),
            Trial("unknown name", replace(bare, hello=Hello(sni=NO_SUCH_NAME)), good),
            Trial("unknown name and Host", replace(bare, hello=Hello(sni=NO_SUCH_NAME), call=foreign), good),
            Trial("no name and unknown Host", replace(bare, hello=Hello(sni=""), call=foreign), good),
        ]
        yield Draft(name, Refused(UNKNOWN_NAME), tuple(trials[: 4 if call else 2]))
