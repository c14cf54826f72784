"""Shell: Alpaca's keys, from the environment and from nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from tradewind.streaming.sources.errors import SourceError

KEY_VARIABLE = "APCA_API_KEY_ID"
SECRET_VARIABLE = "APCA_API_SECRET_KEY"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Credentials:
    """A key and its secret; the secret stays out of `repr`."""

    key: str
    secret: str = field(repr=False)

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Credentials:
        """Read both variables.

        Raises:
            SourceError: naming the one that is not set.
        """
        variables = os.environ if environment is None else environment
        for name in (KEY_VARIABLE, SECRET_VARIABLE):
            if not variables.get(name):
                raise SourceError(f"{name}: not set; export the key and secret of your Alpaca account")
        return Credentials(variables[KEY_VARIABLE], variables[SECRET_VARIABLE])

    def headers(self) -> dict[str, str]:
        """As the REST services want them."""
        return {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret}
