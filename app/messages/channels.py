"""Which channels there are, and the one that this process sends by."""

from collections.abc import Callable, Mapping
from functools import lru_cache

from app.channel import Channel
from app.settings import Settings, settings
from app.whatsapp.client import WhatsAppClient

CHANNELS: Mapping[str, Callable[[Settings], Channel]] = {"whatsapp": WhatsAppClient.of_settings}
"""How to make each, by its name."""


def channel() -> Channel:
    """This process's sender."""
    return _made("whatsapp", settings())


@lru_cache(maxsize=1)
def _made(name: str, environment: Settings) -> Channel:
    return CHANNELS[name](environment)
