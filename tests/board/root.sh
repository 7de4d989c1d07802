# Makes what a board starts from: root/ (a Debian arm64 root file system), vmlinuz and initrd.gz. Sourced by board.sh.
# Packages come through this machine's own apt sources, in a private apt state: nothing of this machine changes but the
# few packages in TOOLS, and no arm64 code is run here.

SUITE=bookworm
TOOLS=(qemu-system-arm ipxe-qemu e2fsprogs cpio xz-utils openssh-client python3-minimal util-linux)
PACKAGES=(base-files base-passwd bash coreutils dash debianutils libc-bin procps grep sed mawk tar gzip findutils
  util-linux mount hostname login passwd kmod iproute2 python3 python3-venv openssh-server openssh-sftp-server
  ca-certificates libstdc++6 libgomp1)
# In the order in which they are loaded; each needs those before it.
MODULES=(drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_legacy_dev
  drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci drivers/block/virtio_blk net/core/failover
  drivers/net/net_failover drivers/net/virtio_net drivers/char/hw_random/virtio-rng net/sched/sch_netem)
# Cached by content: what decides how a root looks is in its name.
BASE=$CACHE/arm64-$SUITE-$(cat "$HERE/root.sh" "$HERE"/guest/* | sha256sum | cut -c1-12)

need_tools() {
  local missing=() tool
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || cannot "this machine has no apt"
  for tool in "${TOOLS[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$tool" 2>/dev/null | grep -qx installed || missing+=("$tool")
  done
  ((${#missing[@]})) || return 0
  [ "$(id -u)" = 0 ] || cannot "packages are missing, and only root can install them: sudo apt install ${missing[*]}"
  say "installing ${missing[*]}"
  { apt-get -o DPkg::Lock::Timeout=600 update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${missing[@]}"
  } >"$CACHE/apt.log" 2>&1 || { tail -5 "$CACHE/apt.log" >&2; cannot "apt-get failed (log: $CACHE/apt.log)"; }
}

private_apt() { # FOLDER TOOL ARGUMENTS...: apt with an arm64 view of this machine's sources, in a state of its own
  local folder=$1 tool=$2
  shift 2
  "$tool" -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::status="$folder/status" \
    -o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder/cache" -o Dir::Etc::sourcelist="$folder/etc/sources.list" \
    -o Dir::Etc::sourceparts="$folder/etc/parts" -o Dir::Etc::preferencesparts=/dev/null -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o APT::Install-Recommends=false -o Acquire::Retries=3 -o Debug::NoLocking=1 "$@"
}

copy_sources() { # FOLDER: this machine's Debian sources, with SUITE for its own suite; others' repositories are left out
  local file mine
  mine=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [ "$(. /etc/os-release && echo "${ID:-}")" = debian ] || cannot "this machine's apt sources are not Debian's"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ -f "$file" ] && grep -qE "(^|[ :])$mine( |-|$)" "$file" && grep -q debian "$file" || continue
    case $file in
      *.sources) sed "s/\b$mine\b/$SUITE/g" "$file" >"$1/etc/parts/${file##*/}" ;;
      *) sed "s/\b$mine\b/$SUITE/g" "$file" >>"$1/etc/sources.list" ;;
    esac
  done
  touch "$1/etc/sources.list"
}

download() { # FOLDER: the packages, the kernel and busybox, as .deb files in FOLDER/cache
  local a=$1 kernel
  mkdir -p "$a"/{lists/partial,cache/archives/partial,etc/parts}
  : >"$a/status"
  copy_sources "$a"
  private_apt "$a" apt-get -qq update >&2 || cannot "apt-get reaches no arm64 packages"
  private_apt "$a" apt-get -qq -y --download-only install "${PACKAGES[@]}" >/dev/null || cannot "the arm64 packages do not come"
  kernel=$(private_apt "$a" apt-cache depends linux-image-cloud-arm64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p' | head -1)
  [ -n "$kernel" ] || cannot "there is no arm64 cloud kernel in this machine's sources"
  (cd "$a/cache" && private_apt "$a" apt-get -qq download "$kernel" busybox-static) || cannot "the arm64 kernel does not come"
}

unpack() { # FOLDER ROOT: unpack only: no maintainer script, no arm64 code is run here
  local deb part
  for part in bin sbin lib; do mkdir -p "$2/usr/$part" && ln -s "usr/$part" "$2/$part"; done
  for deb in "$1"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$2" --keep-directory-symlink \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./dev/*'
  done
}

finish_root() { # ROOT: what the packages' own scripts would have written
  local r=$1
  mkdir -p "$r"/{proc,sys,dev,run,tmp,root,home/bench,var/log,var/tmp,etc/ssh}
  chmod 1777 "$r/tmp" "$r/var/tmp"
  printf '%s\n' 'root:x:0:0:root:/root:/bin/bash' 'daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin' \
    'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin' 'bench:x:1000:1000:bench:/home/bench:/bin/bash' \
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin' >"$r/etc/passwd"
  printf '%s\n' root:x:0: daemon:x:1: tty:x:5: bench:x:1000: nogroup:x:65534: >"$r/etc/group"
  printf '%s\n' 'root:*:19000:0:99999:7:::' 'sshd:!:19000::::::' 'bench:*:19000:0:99999:7:::' >"$r/etc/shadow"
  chmod 640 "$r/etc/shadow"
  printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n' >"$r/etc/nsswitch.conf"
  printf '127.0.0.1 localhost\n127.0.1.1 board\n' >"$r/etc/hosts"
  ln -sf mawk "$r/usr/bin/awk"
  cp "$HERE/guest/sshd_config" "$r/etc/ssh/sshd_config"
  install -m 755 "$HERE/guest/board-init" "$r/usr/sbin/board-init"
  printf '#!/bin/sh\nexec kill -TERM 1\n' >"$r/usr/sbin/poweroff"
  printf '#!/bin/sh\nexec kill -INT 1\n' >"$r/usr/sbin/reboot"
  chmod 755 "$r/usr/sbin/poweroff" "$r/usr/sbin/reboot"
  compile_library "$r"
}

# Else the board's Python, whose users may not write there, would compile its library anew at every start: no real board does.
compile_library() { # ROOT, by a Python of this machine of the same version: bytecode is the same on every processor
  local library python
  library=$(echo "$1"/usr/lib/python3.*)
  for python in "${library##*/}" /usr/bin/python3; do
    "$python" -c 'import sys; sys.exit("python%d.%d" % sys.version_info[:2] != sys.argv[1])' "${library##*/}" 2>/dev/null || continue
    env -u SOURCE_DATE_EPOCH "$python" -m compileall -qq -j 0 -s "$1" -p / "$library"
    return
  done
  say "there is no ${library##*/} here: the board's Python compiles its library at every start, and is slow"
}

make_initrd() { # FOLDER OUT: OUT/vmlinuz, and OUT/initrd.gz with busybox, the modules and guest/init
  local a=$1 out=$2 tree=$1/initrd modules module file
  mkdir -p "$a"/{kernel,busybox} "$tree"/{bin,lib,proc,sys,dev,newroot}
  dpkg-deb -x "$a"/cache/linux-image-*.deb "$a/kernel"
  dpkg-deb -x "$a"/cache/busybox-static_*.deb "$a/busybox"
  cp "$a"/kernel/boot/vmlinuz-* "$out/vmlinuz"
  cp "$(find "$a/busybox" -type f -path '*/bin/busybox')" "$tree/bin/busybox"
  ln -s busybox "$tree/bin/sh"
  modules=$(find "$a/kernel" -type d -path '*/modules/*/kernel' | head -1)
  for module in "${MODULES[@]}"; do
    file=$(find "$modules/${module%/*}" -name "${module##*/}.ko*" | head -1)
    case $file in
      '') continue ;; # built in
      *.xz) xz -dc "$file" >"$tree/lib/${module##*/}.ko" ;;
      *) cp "$file" "$tree/lib/" ;;
    esac
    echo "${module##*/}" >>"$tree/lib/order"
  done
  install -m 755 "$HERE/guest/init" "$tree/init"
  pack "$tree" >"$out/initrd.gz"
}

pack() { # FOLDER: as an initramfs archive on standard output
  (cd "$1" && find . | sort | cpio -o -H newc --quiet -R 0:0 | gzip -1)
}

build() { # BASE, made or found; one at a time, whole or not at all
  mkdir -p "$CACHE"
  exec 9>"$CACHE/lock"
  flock 9
  need_tools
  if [ ! -e "$BASE/.whole" ]; then
    say "making the $SUITE arm64 root, once: $BASE"
    rm -rf "$BASE" "$CACHE"/*.new
    mkdir -p "$BASE.new/root"
    download "$BASE.new/apt"
    unpack "$BASE.new/apt" "$BASE.new/root"
    finish_root "$BASE.new/root"
    make_initrd "$BASE.new/apt" "$BASE.new"
    rm -rf "$BASE.new/apt"
    touch "$BASE.new/.whole"
    mv "$BASE.new" "$BASE"
  fi
  touch "$BASE/.whole"
  # Roots that nobody started from for a month are of no use to anybody; they are written again when they are.
  find "$CACHE" -mindepth 2 -maxdepth 2 -name .whole -mtime +30 -printf '%h\0' | xargs -0r rm -rf
  exec 9>&-
}
