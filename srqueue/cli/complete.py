"""What shell completion offers; it works without Redis and never fails."""

from __future__ import annotations

from collections.abc import Callable


def presets(incomplete: str) -> list[str]:
    """Names of fidelity presets."""

    def known() -> list[str]:
        from srqueue.spec.presets import preset_names

        return preset_names()

    return _matching(known, incomplete)


def architectures(incomplete: str) -> list[str]:
    """Names of architectures."""

    def known() -> list[str]:
        from srqueue.spec.presets import architecture_names

        return architecture_names()

    return _matching(known, incomplete)


def datasets(incomplete: str) -> list[str]:
    """Names of this machine's data sets."""

    def known() -> list[str]:
        from srqueue.datasets import Registry
        from srqueue.settings import load_settings

        return list(Registry(load_settings()).names())

    return _matching(known, incomplete)


def campaign_files(incomplete: str) -> list[str]:
    """Names of the campaigns that come with srqueue."""

    def known() -> list[str]:
        from srqueue.campaign.shipped import shipped

        return shipped()

    return _matching(known, incomplete)


def campaigns(incomplete: str) -> list[str]:
    """Names of the campaigns that were submitted."""

    def known() -> list[str]:
        from srqueue.queue.campaigns import CampaignClient

        return [record.name for record in CampaignClient().records.newest()]

    return _matching(known, incomplete)


def _matching(known: Callable[[], list[str]], incomplete: str) -> list[str]:
    try:
        return [name for name in known() if name.startswith(incomplete)]
    except Exception:  # a broken registry must not break the user's prompt
        return []
