"""Whether figures may stand beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from srqueue.campaign.verdict import entry
from srqueue.report.subject import Subject


def validated_on(subject: Subject) -> tuple[str, ...]:
    """What its figures were measured on: equal for two jobs whose figures can be compared."""
    return entry.validated_on(subject.spec)


def validation_text(subject: Subject) -> str:
    """The same for a table: `set5 1a2b3c4d5e6f, x2`."""
    return entry.validation_text(subject.spec)


def remarks(subjects: Sequence[Subject]) -> list[str]:
    """Why figures of these jobs must not be compared; empty where they may."""
    groups: dict[tuple[str, ...], list[Subject]] = {}
    for subject in subjects:
        groups.setdefault(validated_on(subject), []).append(subject)
    found = []
    if len(groups) > 1:
        told = "; ".join(
            f"{', '.join(s.label for s in group)}: on {validation_text(group[0])}"
            for group in groups.values()
        )
        found.append(
            "These jobs were not validated on the same pictures. Their PSNR and SSIM cannot be compared with "
            f"each other, only within a group: {told}."
        )
    unknown = [
        s.label for s in subjects if s.value("datasets.val.name") and not s.value("datasets.val.identity")
    ]
    if unknown and len(subjects) > 1:
        found.append(
            "The content of the validation data is not known of "
            f"{', '.join(unknown)}: the name alone does not say that the pictures are the same."
        )
    if len(groups) == 1:
        found += _bicubic_differs(subjects)
    return found


def _bicubic_differs(subjects: Sequence[Subject]) -> list[str]:
    """Interpolation knows no training: on the same pictures it reaches the same."""
    found = {s.label: base for s in subjects if (base := s.bicubic("psnr")) is not None}
    if not found or max(found.values()) - min(found.values()) < 0.005:
        return []
    told = ", ".join(f"{label} {base:.3f} dB" for label, base in found.items())
    return [
        f"Bicubic interpolation reaches other figures though the data is the same: {told}. Do not compare."
    ]
