"""Who takes part in a test."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """One workload identity: a ServiceAccount, an X.509 SVID and a token subject at once.

    Equality counts the claims, the hash leaves them out (a mapping has none).
    """

    name: str
    zone: str
    trust_domain: str
    dns_names: tuple[str, ...] = ()
    claims: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def spiffe_id(self) -> str:
        """The SPIFFE id, built from declared names only and so the same in every run (SPIFFE-ID §2)."""
        return f"spiffe://{self.trust_domain}/ns/{self.zone}/sa/{self.name}"
