"""``remediator resume``: close a breaker, or accept a journal that was lost, with the caller's own rights."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from remediator.act.journal import KEY, UID_ANNOTATION, decode, encode
from remediator.act.ledger import closed
from remediator.cli.options import Kubeconfig, Name, Namespace, fail, settings_or_exit
from remediator.cluster.api import READ_TIMEOUT, ApiServer, connect
from remediator.cluster.store import Leases, StoredText, TextStore
from remediator.errors import JournalUnreadable, KubernetesError, KubernetesRefused, SettingsError
from remediator.model.remediations import Ledger

_TRIES = 5
_CONFLICT = 409
NOTHING, COULD_NOT = 1, 2


def resume(
    *,
    workload_namespace: Annotated[str | None, typer.Argument(metavar="NAMESPACE", help="Of the workload.")] = None,
    workload: Annotated[str | None, typer.Argument(metavar="KIND/NAME", help="Such as Deployment/web.")] = None,
    journal: Annotated[bool, typer.Option("--journal", help="Accept a missing or unreadable journal.")] = False,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    name: Name = None,
) -> None:
    """Close the breaker of a workload, or, with --journal, begin a new journal where the old one is lost."""
    if journal == bool(workload_namespace and workload):
        fail("give NAMESPACE KIND/NAME, or --journal", COULD_NOT)
    settings = settings_or_exit(COULD_NOT, kubeconfig=kubeconfig, namespace=namespace, name=name)
    try:
        connection = connect(settings.kubeconfig)
        api = ApiServer(connection, observe=lambda *_: None, user_agent="remediator-resume")
        place = settings.namespace or connection.namespace
        store = TextStore(api, namespace=place, key=KEY)
        if journal:
            code = _accept(store, Leases(api, namespace=place, name=settings.name), f"{settings.name}-journal")
        else:
            code = _close(store, f"{settings.name}-journal", workload_namespace or "", workload or "")
    except (SettingsError, KubernetesError, JournalUnreadable) as exc:
        fail(str(exc), COULD_NOT)
    raise typer.Exit(code)


def _close(store: TextStore, name: str, namespace: str, workload: str) -> int:
    for _ in range(_TRIES):
        stored = store.read(name)
        if stored is None:
            fail(f"there is no journal {name}; is --namespace right?", COULD_NOT)
        ledger = decode(stored.text)
        found = [
            uid
            for uid, breaker in ledger.breakers.items()
            if breaker.workload.namespace == namespace and str(breaker.workload) == workload
        ]
        if not found:
            known = [f"{b.workload.namespace} {b.workload}" for b in ledger.breakers.values()]
            sys.stdout.write(f"no open breaker of {workload} in {namespace}; open: {', '.join(known) or 'none'}\n")
            return NOTHING
        for uid in found:
            ledger = closed(ledger, uid)
        if _written(store, name, ledger, stored):
            sys.stdout.write(f"closed the breaker of {workload} in {namespace}\n")
            return 0
    fail(f"the journal {name} is being written all the time; try again", COULD_NOT)
    return None


def _accept(store: TextStore, leases: Leases, name: str) -> int:
    lease = leases.read()
    stored = store.read(name)
    known = lease.annotations.get(UID_ANNOTATION, "") if lease else ""
    readable = True
    if stored is not None:
        try:
            decode(stored.text)
        except JournalUnreadable:
            readable = False
    if stored is not None and readable and stored.uid == known:
        sys.stdout.write(f"the journal {name} is in order; nothing to accept\n")
        return NOTHING
    if stored is None:
        stored = store.create(name, encode(Ledger()), timeout=READ_TIMEOUT)
        words = f"began a new journal {name}: earlier cooldowns, budgets and breakers are forgotten"
    elif not readable:
        stored = store.update(name, encode(Ledger()), stored=stored, timeout=READ_TIMEOUT)
        words = f"began the journal {name} anew: earlier cooldowns, budgets and breakers are forgotten"
    else:
        words = f"accepted the journal {name} that is there"
    for _ in range(_TRIES):
        if _vouched(leases, stored):
            sys.stdout.write(f"{words}\n")
            return 0
    fail("the Lease is being written all the time; try again", COULD_NOT)
    return None


def _vouched(leases: Leases, stored: StoredText) -> bool:
    """Make the Lease name this journal as the right one; False where somebody else was faster."""
    lease = leases.read()
    if lease is None:
        return True
    annotations = {**lease.annotations, UID_ANNOTATION: stored.uid}
    try:
        leases.annotate(lease, annotations, timeout=READ_TIMEOUT)
    except KubernetesRefused as exc:
        if exc.status.code != _CONFLICT:
            raise
        return False
    return True


def _written(store: TextStore, name: str, ledger: Ledger, stored: StoredText) -> bool:
    """Whether it was written; False where somebody else was faster."""
    try:
        store.update(name, encode(ledger), stored=stored, timeout=READ_TIMEOUT)
    except KubernetesRefused as exc:
        if exc.status.code != _CONFLICT:
            raise
        return False
    return True
