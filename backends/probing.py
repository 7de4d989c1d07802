"""What a probe answers where a framework is missing or broken, and what ``open`` makes of it."""

from __future__ import annotations

from backends import staging
from bench.device.adapter import Availability, DeviceUnavailable


def unusable(package: str, error: Exception, install: str = "") -> Availability:
    """The answer for a package whose import, or first use, failed; ``install`` where pip needs more than its name."""
    if isinstance(error, ModuleNotFoundError):
        return Availability(False, reason=staging.one_line(error), remedy=install or "pip install %s" % package)
    reason = "%s is installed but does not work: %s" % (package, staging.one_line(error))
    return Availability(False, reason=reason, remedy="pip install --force-reinstall %s" % package)


def demand(found: Availability) -> None:
    """DeviceUnavailable, with reason and remedy, unless the backend is usable."""
    if not found.usable:
        raise DeviceUnavailable(". ".join(part for part in (found.reason, found.remedy) if part))
