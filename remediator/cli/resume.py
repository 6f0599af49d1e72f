"""``remediator resume``: close a breaker, or accept a journal that was lost, with the caller's own rights."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from remediator.act.journal import KEY, UID_ANNOTATION, decode, encode
from remediator.act.ledger import closed
from remediator.cli.options import Kubeconfig, Name, Namespace, fail, settings_or_exit
from remediator.cli.output import Form, Output, write_json
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
    output: Output = Form.TEXT,
) -> None:
    """Close the breaker of a workload, or, with --journal, begin a new journal where the old one is lost."""
    if (journal and workload_namespace) or not (journal or (workload_namespace and workload)):
        fail("give NAMESPACE KIND/NAME, or --journal and neither of them", COULD_NOT)
    settings = settings_or_exit(COULD_NOT, kubeconfig=kubeconfig, namespace=namespace, name=name)
    try:
        connection = connect(settings.kubeconfig)
        api = ApiServer(connection, observe=lambda *_: None, user_agent="remediator-resume")
        place = settings.namespace or connection.namespace
        store = TextStore(api, namespace=place, key=KEY)
        name_of_journal = f"{settings.name}-journal"
        if journal:
            done = _accept(store, Leases(api, namespace=place, name=settings.name), name_of_journal)
        else:
            done = _close(store, name_of_journal, workload_namespace or "", workload or "")
    except (SettingsError, KubernetesError, JournalUnreadable) as exc:
        fail(str(exc), COULD_NOT)
    if output is Form.JSON:
        outcome = "nothing" if done.code == NOTHING else "accepted" if journal else "closed"
        what = {"namespace": place, "journal": name_of_journal, "open_breakers": list(done.still_open)}
        write_json("resume", {"outcome": outcome, "words": done.words, **what})
    else:
        sys.stdout.write(f"{done.words}\n")
    raise typer.Exit(done.code)


@dataclass(frozen=True, slots=True)
class _Done:
    """The exit code, one sentence, and the workloads whose breakers are open after that (``NAMESPACE KIND/NAME``)."""

    code: int
    words: str
    still_open: tuple[str, ...] = ()


def _close(store: TextStore, name: str, namespace: str, workload: str) -> _Done:
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
            known = _open(ledger)
            words = f"no open breaker of {workload} in {namespace}; open: {', '.join(known) or 'none'}"
            return _Done(NOTHING, words, known)
        for uid in found:
            ledger = closed(ledger, uid)
        if _written(store, name, ledger, stored):
            return _Done(0, f"closed the breaker of {workload} in {namespace}", _open(ledger))
    fail(f"the journal {name} is being written all the time; try again", COULD_NOT)
    return None


def _open(ledger: Ledger) -> tuple[str, ...]:
    return tuple(f"{breaker.workload.namespace} {breaker.workload}" for breaker in ledger.breakers.values())


def _accept(store: TextStore, leases: Leases, name: str) -> _Done:
    lease = leases.read()
    stored = store.read(name)
    known = lease.annotations.get(UID_ANNOTATION, "") if lease else ""
    readable, ledger = True, Ledger()
    if stored is not None:
        try:
            ledger = decode(stored.text)
        except JournalUnreadable:
            readable = False
    if stored is not None and readable and stored.uid == known:
        return _Done(NOTHING, f"the journal {name} is in order; nothing to accept", _open(ledger))
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
            return _Done(0, words, _open(ledger))
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
