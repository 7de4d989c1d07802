#!/usr/bin/env bash
# A real aarch64 Linux board for tests, reachable over SSH on a free loopback port.
#
#   board.sh start NAME [--mem MiB] [--disk SIZE] [--smp N] [--add DIR] [--owner PID]
#                                a fresh board, DIR's files on its disk; prints its ssh config's path
#   board.sh boot NAME           power on again: same disk, same port, same host key
#   board.sh stop NAME           sync, then switch off
#   board.sh kill NAME           power cut: no sync
#   board.sh cut|heal NAME       unplug, plug the network cable
#   board.sh freeze|thaw NAME    hold, resume the whole board
#   board.sh status NAME         running, off or none
#   board.sh remove NAME         power cut, and nothing of it is left
#   board.sh build               only make what boards start from
#
# It is an emulator (qemu) with Debian's own arm64 kernel and a small Debian root: own kernel, /proc, memory, out-of-memory
# killer, disk, network and sshd, with the users bench (uid 1000; ssh to NAME) and root (NAME-root). It needs no KVM, no
# mount and no root but to install packages. How fast it is says nothing of any ARM machine.
# --owner: the board is removed when that process ends, however it ends. Exit 77: it cannot run on this machine, and why.
# Everything is under ${BENCHPACT_CACHE:-${XDG_CACHE_HOME:-~/.cache}/benchpact-tests}.
set -euo pipefail
export LC_ALL=C
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${BENCHPACT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/benchpact-tests}
say() { echo "board: $*" >&2; }
die() { say "$*"; exit 1; }
cannot() { say "$*"; exit 77; }
. "$HERE/root.sh"

pid_of() { # the board's emulator, where it is running and is ours
  local pid
  pid=$(cat "$D/qemu.pid" 2>/dev/null) || return 1
  { tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$D/qemu.pid"; } 2>/dev/null && echo "$pid"
}

switch_off() { # SIGNAL, by pid
  local pid
  pid=$(pid_of) || return 0
  kill "-$1" "$pid" 2>/dev/null || true
  for _ in $(seq 200); do pid_of >/dev/null || break; sleep 0.05; done
  if pid_of >/dev/null; then kill -KILL "$pid"; fi
  rm -f "$D/qemu.pid" "$D/qmp"
}

qmp() {
  pid_of >/dev/null || die "$NAME is off"
  python3 "$HERE/qmp.py" "$D/qmp" "$@"
}

# Below the ports that outgoing connections get, so that a board keeps its own while it is off; `boot` tries others.
free_port() { echo $((20000 + RANDOM % 12000)); }

emulate() { # PORT; in the board's folder, by relative names: a socket's path must be short, and a comma would divide options
  qemu-system-aarch64 -M virt -cpu cortex-a72 -accel tcg,thread=multi -smp "$SMP" -m "$MEM" -nodefaults -display none \
    -daemonize -pidfile "$D/qemu.pid" -kernel "$FROM/vmlinuz" -initrd initrd.gz -append "console=ttyAMA0 loglevel=4" \
    -drive if=none,id=d0,file=disk.img,format=raw,cache=writeback,discard=unmap -device virtio-blk-pci,drive=d0 \
    -netdev user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:"$1"-:22 -device virtio-net-pci,netdev=n0,romfile= \
    -device virtio-rng-pci -serial file:serial.log -monitor none -qmp unix:qmp,server=on,wait=off >qemu.log 2>&1
}

write_ssh_config() { # PORT
  echo "[127.0.0.1]:$1 $(cut -d' ' -f1,2 "$D/host_key.pub")" >"$D/known_hosts"
  cat >"$D/ssh_config" <<C
Host $NAME $NAME-root
  HostName 127.0.0.1
  Port $1
  IdentityFile "$D/id"
  IdentitiesOnly yes
  UserKnownHostsFile "$D/known_hosts"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 30
Host $NAME-root
  User root
Host $NAME
  User bench
C
}

await_sshd() { # a start takes 4 s on a quiet machine
  local end=$((SECONDS + 240))
  until ssh -F "$D/ssh_config" -o ConnectTimeout=10 "$NAME" true 2>"$D/ssh.log" </dev/null; do
    pid_of >/dev/null || { tail -20 "$D/serial.log" >&2; die "$NAME went off while it started"; }
    ! grep -qa 'Kernel panic' "$D/serial.log" || { tail -20 "$D/serial.log" >&2; die "$NAME's kernel panicked"; }
    ((SECONDS < end)) || { cat "$D/ssh.log" >&2; tail -20 "$D/serial.log" >&2; die "$NAME did not answer in 240 s"; }
    sleep 0.2
  done
}

boot() {
  local port
  pid_of >/dev/null && die "$NAME is running already"
  . "$D/settings"
  cd "$D"
  mkdir -p tree/seed
  cp host_key tree/seed/ssh_host_ed25519_key
  cp host_key.pub tree/seed/ssh_host_ed25519_key.pub
  cp id.pub tree/seed/authorized_keys
  echo "$NAME" >tree/seed/hostname
  { cat "$FROM/initrd.gz"; pack tree; } >initrd.gz
  for tries in 1 2 3 4 5; do # another process may take the port first
    port=${PORT:-$(free_port)}
    rm -f qmp
    if emulate "$port"; then break; fi
    { [ "$tries" -lt 5 ] && grep -qi 'host forwarding' qemu.log; } || { cat qemu.log >&2; die "the emulator did not start"; }
    [ -z "${PORT:-}" ] || sleep 1
  done
  [ -n "${PORT:-}" ] || echo "PORT=$port" >>settings
  write_ssh_config "$port"
  await_sshd
  echo "$D/ssh_config"
}

start() {
  local mem=1024 disk=1G smp=2 owner='' add='' rootly=() root=$BASE/root
  while (($#)); do
    case $1 in
      --mem) mem=$2 ;; --disk) disk=$2 ;; --smp) smp=$2 ;; --add) add=$2 ;; --owner) owner=$2 ;;
      *) die "what is $1?" ;;
    esac
    shift 2
  done
  build
  if pid_of >/dev/null; then echo "$D/ssh_config"; return; fi
  [ "$(id -u)" = 0 ] || rootly=(unshare --map-root-user) # so that what is ours is root's on the board's disk
  rm -rf "$D"
  mkdir -p "$D"
  chmod 700 "$CACHE/boards" "$D"
  ssh-keygen -q -t ed25519 -N '' -C "$NAME's user" -f "$D/id"
  ssh-keygen -q -t ed25519 -N '' -C "$NAME" -f "$D/host_key"
  if [ -n "$add" ]; then # links, in the same cache: no byte is copied but those of DIR
    root=$D/root
    cp -al "$BASE/root" "$root"
    cp -a "$add/." "$root/"
  fi
  "${rootly[@]}" mke2fs -q -F -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$D/disk.img" "$disk" >/dev/null
  rm -rf "$D/root"
  printf '%s=%q\n' MEM "$mem" SMP "$smp" FROM "$BASE" >"$D/settings"
  if [ -n "$owner" ]; then
    setsid "$HERE/board.sh" remove-after "$NAME" "$owner" </dev/null >/dev/null 2>&1 &
    echo $! >"$D/watcher.pid"
  fi
  boot
}

remove() {
  local watcher
  switch_off KILL
  if watcher=$(cat "$D/watcher.pid" 2>/dev/null) && [ "$watcher" != $$ ]; then
    if grep -qzxF remove-after "/proc/$watcher/cmdline" 2>/dev/null; then kill -- "-$watcher" 2>/dev/null || true; fi
  fi
  rm -rf "$D"
}

COMMAND=${1:-help} NAME=${2:-} D=$CACHE/boards/${2:-}
case $COMMAND in
  boot | stop | kill | cut | heal | freeze | thaw) settings=needed ;;
  start | status | remove | remove-after) settings= ;;
  *) NAME=none settings= ;;
esac
[[ $NAME =~ ^[a-z0-9][a-z0-9-]{0,30}$ ]] || die "a board's name is of a-z 0-9 -"
[ -z "$settings" ] || [ -e "$D/settings" ] || die "there is no board $NAME: board.sh start $NAME"
case $COMMAND in
  build)
    build # on a line of its own: in a list the shell would go on after a failure inside it
    echo "$BASE"
    ;;
  start) start "${@:3}" ;;
  boot) boot ;;
  stop)
    timeout 30 ssh -F "$D/ssh_config" "$NAME-root" sync </dev/null >/dev/null 2>&1 || true
    switch_off TERM
    ;;
  kill) switch_off KILL ;;
  cut) qmp set_link '{"name": "n0", "up": false}' ;;
  heal) qmp set_link '{"name": "n0", "up": true}' ;;
  freeze) qmp stop ;;
  thaw) qmp cont ;;
  status) if pid_of >/dev/null; then echo running; elif [ -e "$D/settings" ]; then echo off; else echo none; fi ;;
  remove) remove ;;
  remove-after)
    tail --pid="${3:?}" -f /dev/null
    remove
    ;;
  *) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
