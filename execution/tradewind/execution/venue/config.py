"""Core. What a venue process is told: the JSON document behind `--config`."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tradewind.execution.venue.faults import FaultPlan
from tradewind.execution.venue.matching import PPM, Terms
from tradewind.execution.venue.money import PRICE_PLACES, to_fixed


class VenueConfig(BaseModel):
    """One simulated venue with one account. Credentials come from the environment only, by the names given here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_dir: Path = Field(description="Where the books, the certificate and the lock live; made when missing.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(0, ge=0, le=65_535, description="Port to listen on; 0 takes a free one and prints it.")
    tls: bool = Field(True, description="HTTPS and WSS, by a certificate of the venue's own (`ca.pem`) unless given.")
    certificate: Path | None = Field(None, description="PEM: the certificate to show, with its chain; needs `key`.")
    key: Path | None = Field(None, description="PEM: the private key of `certificate`.")
    probes_port: int | None = Field(
        None, ge=0, le=65_535, description="Serves /metrics, /livez and /readyz; 0 takes a free port; null: none."
    )
    key_id_env: str = Field("APCA_API_KEY_ID", description="Environment variable that holds the accepted key id.")
    secret_env: str = Field("APCA_API_SECRET_KEY", description="Environment variable that holds its secret.")
    starting_cash: Decimal = Field(Decimal(100_000), gt=0, le=10**9, decimal_places=8, description="USD, new books.")
    multiplier: Literal[1, 2, 4] = Field(2, description="Buying power per unit of equity; 1 is a cash account.")
    allow_shorts: bool = Field(True, description="Whether a sale may open a short position.")
    slippage_bps: Decimal = Field(Decimal(1), ge=0, le=1_000, decimal_places=2, description="Cost of a market order.")
    commission_bps: Decimal = Field(Decimal(0), ge=0, le=1_000, decimal_places=2, description="Of each fill's value.")
    commission_per_share: Decimal = Field(Decimal(0), ge=0, le=10, decimal_places=8, description="USD per share.")
    participation: Decimal | None = Field(
        Decimal("0.1"), gt=0, le=1, decimal_places=6, description="Fraction of a bar's volume; null is unlimited."
    )
    rate_limit_per_minute: int | None = Field(None, ge=1, description="Requests per minute; null is unlimited.")
    symbols: tuple[str, ...] = Field((), description="Assets known from the start; bars bring others.")
    clock: Literal["virtual", "wall"] = Field("virtual", description="Whose time it is: /sim/advance's or the host's.")
    hours: Literal["any", "exchange"] = Field(
        "any", description="Real time: whether orders for shares trade at any hour or wait for the exchange's."
    )
    slow_changes: bool = Field(
        False, description="Cancels and replaces stay pending until the market's next move, which may fill first."
    )
    faults: FaultPlan = Field(FaultPlan(), description="How it misbehaves from the start; /sim/faults changes that.")
    start_time: int = Field(0, ge=0, description="Virtual time of new books, ns since the Unix epoch.")

    @model_validator(mode="after")
    def _certificate_has_key(self) -> VenueConfig:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: give both, or neither for a certificate of its own")
        if self.certificate is not None and not self.tls:
            raise ValueError("tls is false, so nobody would see the certificate: leave certificate and key out")
        return self

    def terms(self) -> Terms:
        """The same conditions in the core's integers."""
        return Terms(
            starting_cash=to_fixed(self.starting_cash, PRICE_PLACES),
            allow_shorts=self.allow_shorts,
            multiplier=self.multiplier,
            slippage_ppm=int(self.slippage_bps * 100),
            commission_ppm=int(self.commission_bps * 100),
            commission_per_share=to_fixed(self.commission_per_share, PRICE_PLACES),
            participation_ppm=None if self.participation is None else int(self.participation * PPM),
            virtual=self.clock == "virtual",
            slow_changes=self.slow_changes,
        )
