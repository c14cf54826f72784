"""The operator as a process: kopf watches, workers carry plans out, a Lease says who works. Shell.

    kopf's watches → store → queue of documents → workers: plan → server-side apply, status, events

Nothing is decided here; what to do is said by `tradewind.operators.plan`.
"""
