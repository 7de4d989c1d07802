"""What is passed on after a measurement, and what is stored: frozen records, integers inside.

Every time is nanoseconds, every memory figure bytes; the unit is in the name.
"""

from bench.results.block import Block, Disturbed, Seen
from bench.results.failure import REFUSALS, UNREACHED, Failure
from bench.results.json_value import Json
from bench.results.process_run import Audit, DeviceTime, Memory, Metered, Phase, ProcessRun, WarmUp
from bench.results.profile import Profile, TargetProfile
from bench.results.run import LAYOUT, CaseResult, Limit, RunInfo, StoredRun
from bench.results.serving import Crew, RateTrial, Searched, Serving
from bench.results.verdict import Figure, Outcome, Undisturbed, Verdict

__all__ = [
    "LAYOUT",
    "REFUSALS",
    "UNREACHED",
    "Audit",
    "Block",
    "CaseResult",
    "Crew",
    "DeviceTime",
    "Disturbed",
    "Failure",
    "Figure",
    "Json",
    "Limit",
    "Memory",
    "Metered",
    "Outcome",
    "Phase",
    "ProcessRun",
    "Profile",
    "RateTrial",
    "RunInfo",
    "Searched",
    "Seen",
    "Serving",
    "StoredRun",
    "TargetProfile",
    "Undisturbed",
    "Verdict",
    "WarmUp",
]
