"""Files of ``/proc`` and ``/sys`` as boards tell them, to be written under a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

A72 = "".join(
    f"processor\t: {core}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n\n"
    for core in range(4)
)
PI_4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    "proc/cpuinfo": A72 + "Hardware\t: BCM2835\nRevision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
    "proc/meminfo": "MemTotal:        3884360 kB\nMemFree:         3000000 kB\nMemAvailable:    3500000 kB\n",
    "proc/loadavg": "0.12 0.05 0.01 1/123 4567\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "52100\n",
    "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0\n",
    "sys/class/thermal/cooling_device0/cur_state": "0\n",
    "sys/class/thermal/cooling_device1/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device1/cur_state": "4\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    **{f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq": "1500000\n" for core in range(4)},
    **{f"sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq": "1500000\n" for core in range(4)},
    **{f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor": "ondemand\n" for core in range(4)},
}
"""A Raspberry Pi 4 that is well."""

BIG_LITTLE = {
    "proc/device-tree/model": "Radxa ROCK 5B\0",
    "proc/device-tree/compatible": "radxa,rock-5b\0rockchip,rk3588\0",
    "proc/cpuinfo": "".join(
        f"processor\t: {core}\nCPU implementer\t: 0x41\nCPU part\t: {'0xd05' if core < 4 else '0xd0b'}\n\n"
        for core in range(8)
    ),
    "sys/class/thermal/cooling_device0/type": "thermal-cpufreq-0\n",
    "sys/class/thermal/cooling_device0/cur_state": "2\n",
    "sys/class/thermal/cooling_device1/type": "thermal-devfreq-0\n",
    "sys/class/thermal/cooling_device1/cur_state": "0\n",
    "sys/class/devfreq/fb000000.gpu/cur_freq": "300000000\n",
    "sys/class/devfreq/fb000000.gpu/max_freq": "1000000000\n",
    "sys/class/devfreq/fb000000.gpu/governor": "simple_ondemand\n",
    **{
        f"sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq": "1800000\n" if core < 4 else "2400000\n"
        for core in range(8)
    },
    **{
        f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq": "1800000\n" if core < 4 else "2016000\n"
        for core in range(8)
    },
}
"""A board with four small and four big cores, held down against heat."""

EMULATED = {
    "proc/device-tree/model": "linux,dummy-virt\0",
    "proc/device-tree/compatible": "linux,dummy-virt\0",
    "proc/cpuinfo": A72,
}
"""A machine that qemu makes."""


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """The folder, with the files in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
