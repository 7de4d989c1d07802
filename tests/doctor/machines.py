"""A machine made of files: /proc and /sys as different machines show them, put in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.device import machine
from bench.doctor import readings

SERVER = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Example CPU @ 2.40GHz\nflags\t\t: fpu sse avx2\n",
    "proc/meminfo": "MemTotal:       16384000 kB\nSwapTotal:       2048000 kB\nSwapFree:        1024000 kB\n",
    "proc/stat": "cpu  800 0 100 1000 0 0 0 100 0 0\ncpu0 800 0 100 1000 0 0 0 100 0 0\n",
    "proc/vmstat": "nr_free_pages 1\npswpin 10\npswpout 32\n",
    "proc/pressure/memory": "some avg10=3.50 avg60=1.00 avg300=0.00 total=9\nfull avg10=1.00 total=1\n",
    "proc/self/cgroup": "0::/\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
    "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4\n",
    "sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0-1\n",
    "sys/devices/system/cpu/smt/active": "1\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
    "sys/class/thermal/thermal_zone0/temp": "91500\n",
    "sys/class/dmi/id/sys_vendor": "Example Inc.\n",
    "sys/class/dmi/id/product_name": "Server 9\n",
    "etc/os-release": 'NAME="Example"\n',
}
CONTAINER = {
    "proc/self/cgroup": "0::/job/task\n",
    "sys/fs/cgroup/job/task/cpu.max": "max 100000\n",
    "sys/fs/cgroup/job/task/cpu.stat": "usage_usec 5\nnr_periods 9\nnr_throttled 12\n",
    "sys/fs/cgroup/job/task/memory.max": "1073741824\n",
    "sys/fs/cgroup/job/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/job/memory.max": "max\n",
    ".dockerenv": "",
}
OLD_CONTAINER = {
    "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "536870912\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
}


def put(monkeypatch: pytest.MonkeyPatch, root: Path, *trees: dict[str, str]) -> Path:
    """Make the project read ``root``, filled with these files, in place of the machine's own /proc and /sys."""
    for tree in trees:
        for name, text in tree.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    monkeypatch.setattr(machine, "PROC", root / "proc")
    monkeypatch.setattr(machine, "CPU", root / "sys/devices/system/cpu")
    monkeypatch.setattr(machine, "CGROUP", root / "sys/fs/cgroup")
    monkeypatch.setattr(machine, "THERMAL", root / "sys/class/thermal")
    monkeypatch.setattr(readings, "ROOT", root)
    monkeypatch.delenv("container", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return root
