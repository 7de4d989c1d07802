"""Any value of JSON, as facts and settings are stored."""

from __future__ import annotations

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
