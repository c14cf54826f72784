"""Leader election by a Lease: of several replicas one works. Shell."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from prometheus_client import Gauge
from urllib3.exceptions import HTTPError

from tradewind.operators.config import OperatorConfig

LEASE = "tradewind-operator"
LOST_LEASE = 3  # exit status
LEADING = Gauge("tradewind_operator_leading", "1 while this replica works.")
_log = logging.getLogger(__name__)


class _Lock(LeaseLock):  # type: ignore[misc]
    """A LeaseLock for which an API server that can't be reached is a failed attempt, not the end."""

    def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        try:
            return super().get(name, namespace)  # type: ignore[no-any-return]
        except HTTPError as error:
            return False, ApiException(status=0, reason=str(error))

    released = False

    def create(self, name: str, namespace: str, election_record: Any) -> bool:
        try:
            return bool(super().create(name, namespace, election_record))
        except HTTPError:
            return False

    def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        try:
            return not self.released and bool(super().update(name, namespace, updated_record))
        except HTTPError:
            return False

    def release(self) -> None:
        """Gives the lease back, if it is held, so that another replica needn't wait for its end."""
        self.released = True
        try:
            lease = self.api_instance.read_namespaced_lease(self.name, self.namespace)
            if lease.spec.holder_identity == self.identity:
                lease.spec.holder_identity = ""
                self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)
        except (ApiException, HTTPError) as error:
            _log.warning("the lease is not given back: %s", error)


class Election:
    """Waits for the lease, works while it is held, and ends the process when it is lost."""

    def __init__(self, config: OperatorConfig, work: Callable[[], None]) -> None:
        self._lock = _Lock(LEASE, config.namespace, config.identity)
        self._config = electionconfig.Config(
            lock=self._lock,
            lease_duration=config.election.lease_s,
            renew_deadline=config.election.renew_s,
            retry_period=config.election.retry_s,
            onstarted_leading=lambda: self._lead(work),
            onstopped_leading=self._lost,
        )

    def run(self) -> None:
        """Returns never: the process ends with the lease, or by a signal."""
        leaderelection.LeaderElection(self._config).run()

    def release(self) -> None:
        """Gives the lease back, if it is held."""
        self._lock.release()

    @staticmethod
    def _lead(work: Callable[[], None]) -> None:
        LEADING.set(1)
        work()
        raise RuntimeError("the watches ended")

    @staticmethod
    def _lost() -> None:
        # At once: a write after this moment may be a second leader's.
        _log.error("the lease is lost or the work has ended: ending")
        os._exit(LOST_LEASE)
