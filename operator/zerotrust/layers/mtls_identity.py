"""mTLS: names that are nearly the trusted one (SPIFFE-ID section 2, RFC 9525 section 6).

No TLS library compares a client's names: whoever configures or writes the comparison gets it right, or lets the
neighbour in. Every certificate here is one that the trust domain's own authority could have issued to a neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator

from zerotrust.layers.base import Boundary, Coverage, Draft
from zerotrust.layers.mtls import IDENTITY, Check, forged, mtls

_EXACT = (
    "Compare the whole URI, byte for byte (Envoy: match_typed_subject_alt_names with san_type URI and exact; "
    "in code: equality, never prefix, suffix, contains or a pattern without anchors and escapes)."
)
_REFERENCES = ("SPIFFE-ID section 2", *IDENTITY)
_NAMES_ALONE = "the certificate failed for its chain; it differs from the trusted one in its URI alone."


def _near(name: str, forgery: str, summary: str, motive: str, coverage: Coverage = Coverage.STANDARD) -> None:
    """Register a case: a certificate in a name that is nearly the trusted one."""

    def derive(boundary: Boundary) -> Iterator[Draft]:
        yield from forged(boundary, forgery)

    derive.__doc__ = summary
    mtls.case(name=name, motive=motive, remedy=_EXACT, references=_REFERENCES, vacuous=_NAMES_ALONE, coverage=coverage)(
        derive
    )


_near(
    "longer-identity",
    "longer-identity-certificate",
    "A certificate whose SPIFFE id continues the trusted one is refused.",
    "A comparison by prefix lets `checkout-evil` in as `checkout`.",
)
_near(
    "shorter-identity",
    "shorter-identity-certificate",
    "A certificate whose SPIFFE id is the beginning of the trusted one is refused.",
    "A comparison the wrong way round lets `check` in as `checkout`.",
)
_near(
    "deeper-identity",
    "deeper-identity-certificate",
    "A certificate whose SPIFFE id lies below the trusted one is refused.",
    "A comparison by path lets everything below the trusted name in.",
)
_near(
    "other-zone-identity",
    "other-zone-identity-certificate",
    "A namesake's certificate from another namespace is refused.",
    "A comparison of the last segment alone lets every namespace's `checkout` in.",
)
_near(
    "other-domain-identity",
    "other-domain-identity-certificate",
    "A certificate with the trusted path in another trust domain is refused.",
    "A comparison of the path alone, or of the URI's end, lets every trust domain in.",
)
_near(
    "longer-domain-identity",
    "longer-domain-identity-certificate",
    "A certificate with the trusted path in a trust domain that continues the trusted one is refused.",
    "A trust domain compared by prefix is open to whoever registers a longer one.",
    Coverage.EXHAUSTIVE,
)
_near(
    "embedded-identity",
    "embedded-identity-certificate",
    "A certificate whose URI holds the trusted SPIFFE id somewhere is refused.",
    "A comparison by search finds the trusted name wherever it stands.",
)
_near(
    "other-case-identity",
    "other-case-identity-certificate",
    "A certificate whose SPIFFE id is the trusted one in capitals is refused.",
    "Paths of SPIFFE ids tell capitals apart; who folds them makes two workloads one.",
)
_near(
    "trailing-slash-identity",
    "trailing-slash-identity-certificate",
    "A certificate whose URI is the trusted SPIFFE id and a slash is refused.",
    "Who cuts slashes before comparing accepts what is no SPIFFE id at all.",
    Coverage.EXHAUSTIVE,
)
_near(
    "dot-segment-identity",
    "dot-segment-identity-certificate",
    "A certificate whose URI becomes the trusted one once its dot segments are resolved is refused.",
    "Who normalises URIs before comparing lets a neighbour name itself `../checkout`.",
    Coverage.EXHAUSTIVE,
)
_near(
    "encoded-identity",
    "encoded-identity-certificate",
    "A certificate whose URI becomes the trusted one once it is percent-decoded is refused.",
    "Who decodes URIs before comparing accepts what is no SPIFFE id at all.",
    Coverage.EXHAUSTIVE,
)
_near(
    "other-scheme-identity",
    "other-scheme-identity-certificate",
    "A certificate with the trusted name under another scheme is refused.",
    "Only spiffe: URIs are workload identities; others are issued by other rules.",
    Coverage.EXHAUSTIVE,
)
_near(
    "loose-pattern-identity",
    "loose-pattern-identity-certificate",
    "A certificate in whose trust domain another character stands for each dot is refused.",
    "A dot in a pattern that nobody escaped matches any character.",
)
_near(
    "common-name-identity",
    "common-name-identity-certificate",
    "A stranger's certificate with the trusted name as its common name is refused.",
    "Common names are free text: whoever may write them into a request is whoever they say.",
)
_near(
    "common-name-uri",
    "common-name-uri-certificate",
    "A stranger's certificate with the trusted SPIFFE id as its common name is refused.",
    "A search through the whole certificate's text finds the trusted name where no authority vouches for it.",
    Coverage.EXHAUSTIVE,
)


@mtls.case(
    motive="A certificate with two names is whoever its reader picks, and two readers pick differently.",
    remedy="Refuse certificates with more than one URI (SPIFFE libraries do; Envoy accepts if any URI matches).",
    references=("SPIFFE X509-SVID section 2", *_REFERENCES),
    vacuous="the certificate failed for its chain; it differs from the trusted one by a second URI alone.",
)
def two_identities(boundary: Boundary) -> Iterator[Draft]:
    """A certificate that names the trusted identity and then another is refused."""
    yield from forged(boundary, "two-identities-certificate", check=Check.SPIFFE)


@mtls.case(
    motive="A certificate with two names is whoever its reader picks, and two readers pick differently.",
    remedy="Refuse certificates with more than one URI (SPIFFE libraries do; Envoy accepts if any URI matches).",
    references=("SPIFFE X509-SVID section 2", *_REFERENCES),
    vacuous="the certificate failed for its chain; it differs from the trusted one by a second URI alone.",
)
def two_identities_reversed(boundary: Boundary) -> Iterator[Draft]:
    """A certificate that names another identity and then the trusted one is refused."""
    yield from forged(boundary, "two-identities-reversed-certificate", check=Check.SPIFFE)
