from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class NetworkSettings(BaseSettings):
    """Which networks may be reached besides the public ones, whoever names an address there."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    outbound_networks: str = Field(
        default="",
        description="Networks that may be reached although they are not public, such as "
        "`10.20.0.0/16`. Metadata addresses in them are reached too.",
    )


class UrlSettings(NetworkSettings):
    """Which URLs are fetched that requests and data sets name, and what one file may cost."""

    url_hosts: str = Field(
        default="",
        description="Hosts that inputs are fetched from: `example.org`, `*.example.org` for all "
        "below it, `host:8443` for a port other than the scheme's, `*` for all public hosts. "
        "Empty: URLs are refused.",
    )
    url_schemes: str = Field(default="https", description="Schemes of inputs: `https`, `http`.")
    url_max_bytes: int = Field(
        default=33_554_432,
        ge=1,
        description="Bytes of one fetched file, inflated; all of a request's together may have "
        "`WHERRY_MAX_BODY_BYTES`.",
    )
    url_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds that fetching one file may take, redirects too."
    )
    url_max_redirects: int = Field(
        default=3, ge=0, description="Redirects that are followed, each one checked like the first."
    )


class EndpointSettings(NetworkSettings):
    """Which servers a worker may ask for models whose backend is `endpoint`."""

    endpoint_hosts: str = Field(
        default="",
        description='Hosts that models of `backend = "endpoint"` may be at, written like'
        " `WHERRY_URL_HOSTS`. Empty: such models are refused.",
    )
    endpoint_schemes: str = Field(
        default="https", description="Schemes of endpoints: `https`, `http`."
    )
