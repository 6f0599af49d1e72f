"""The transaction: intent into the journal, a second look, the eviction, the wait, the settlement.

The journal is the one memory: whoever leads next carries on from it. What is decided about a replacement is pure
(``replacement``, ``ledger``); what touches the cluster is sent behind the fence of the lease, once.
"""
