"""The journal as whoever asks may read it: cooldowns, budgets, breakers, and what is in flight. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from remediator.act.journal import KEY, UID_ANNOTATION, decode
from remediator.cluster.api import ApiServer
from remediator.cluster.store import Leases, TextStore
from remediator.errors import JournalUnreadable, KubernetesOdd, KubernetesRefused
from remediator.model.remediations import Ledger


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger; ``note`` says what is not known of it, ``held`` why the daemon itself does nothing on it."""

    ledger: Ledger = field(default_factory=Ledger)
    note: str = ""
    held: str = ""


def read(api: ApiServer, *, namespace: str, name: str) -> Account:
    """The account of the daemon of that name. Raises KubernetesUnreachable."""
    journal = f"{name}-journal"
    try:
        stored = TextStore(api, namespace=namespace, key=KEY).read(journal)
    except (KubernetesRefused, KubernetesOdd) as exc:
        unknown = "cooldowns, budgets, breakers and what is in flight are not known"
        return Account(note=f"the journal {journal} in {namespace} could not be read, so {unknown}: {exc}")
    known = _uid_in_lease(api, namespace, name)
    if stored is None:
        if known:
            return Account(held=f"the journal {journal} in {namespace} is gone: remediator resume --journal")
        return Account(note=f"there is no journal {journal} in {namespace}: no daemon has acted there (--namespace)")
    if known and stored.uid != known:
        return Account(held=f"the journal {journal} in {namespace} was replaced: remediator resume --journal")
    try:
        return Account(decode(stored.text))
    except JournalUnreadable as exc:
        return Account(held=f"{exc}: remediator resume --journal")


def _uid_in_lease(api: ApiServer, namespace: str, name: str) -> str:
    """The UID of the journal that the Lease vouches for; empty where it does not, or where it may not be read."""
    try:
        lease = Leases(api, namespace=namespace, name=name).read()
    except (KubernetesRefused, KubernetesOdd):
        return ""
    return lease.annotations.get(UID_ANNOTATION, "") if lease else ""
