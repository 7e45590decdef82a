from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EndpointSettings(BaseSettings):
    """Which servers a worker may ask for models whose backend is `endpoint`."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    endpoint_hosts: str = Field(
        default="",
        description='Hosts that models of `backend = "endpoint"` may be at, written like'
        " `WHERRY_URL_HOSTS`. Empty: such models are refused.",
    )
    endpoint_schemes: str = Field(
        default="https", description="Schemes of endpoints: `https`, `http`."
    )
    outbound_networks: str = Field(
        default="",
        description="Networks that may be reached although they are not public: the API's setting,"
        " for workers too.",
    )
