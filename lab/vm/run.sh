#!/usr/bin/env bash
# The incident, and the daemon, under cgroup v2, for real: a virtual machine (software emulation, no KVM, no root) with a kernel that has the memory controller in the
# unified hierarchy, a small initramfs, and in it guest.sh, which plays the cases and checks them.
#
#   lab/vm/run.sh LASTGASP_BINARY DIR_WITH_GO_BINARIES    (cargo xtask vm builds both and calls it)
#
# The directory holds resource-service, admin, loadgen and dies (lab/programs/dies, likewise):
#   cd lab/programs/incident && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o DIR/ ./...
#
# The last line is "PASS ..." or "FAIL ..."; exit code 0 or 1, and 2 if it could not be played. All cases take eight minutes on two cores.
#
# Environment:
#   VM_DIR      where kernel, busybox, initramfs and console.log are kept (default: target/lab/vm); the first run fetches some 30 MB into it
#   VM_KERNEL   a bzImage of your own instead of Debian's, with userfaultfd, memcg and an 8250 console built in
#   VM_BUSYBOX  a static busybox of your own instead of Debian's
#   VM_TIMEOUT  seconds for the whole machine (default: 900)
#   VM_CASES    which cases, separated by spaces (default: all but those on demand)
#   VM_SYSTEMD  not empty: process 1 is systemd (guest/systemd.sh has the cases); fetches another 15 MB
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}

cannot() { echo "lab/vm: $1" >&2; [ $# -lt 2 ] || echo "  cure: $2" >&2; exit 2; }

[ $# -eq 2 ] || cannot "two arguments: LASTGASP_BINARY DIR_WITH_GO_BINARIES" "see the head of lab/vm/run.sh"
lastgasp=$1 programs=$2
[ -x "$lastgasp" ] || cannot "$lastgasp is not there" "cargo build --release --package lastgasp-cli"
for p in resource-service admin loadgen dies; do
    [ -x "$programs/$p" ] || cannot "$programs/$p is not there" \
        "cargo xtask vm builds it"
    ! ldd "$programs/$p" >/dev/null 2>&1 || cannot "$programs/$p is linked dynamically" "build it with CGO_ENABLED=0"
done
need() { command -v "$1" >/dev/null || cannot "$1 is missing" "apt-get install $2"; }
need qemu-system-x86_64 qemu-system-x86
need cpio cpio
need gzip gzip
need ldd libc-bin
need timeout coreutils

work=${VM_DIR:-$target/lab/vm}
mkdir -p "$work"
work=$(cd "$work" && pwd)

. "$here/systemd-root.sh"

# fetch PACKAGE: unpacks it to $work/PACKAGE without installing it.
fetch() {
    [ ! -d "$work/$1" ] || return 0
    need apt-get apt; need dpkg-deb dpkg
    echo "lab/vm: fetching $1" >&2
    local part
    part=$(mktemp -d "$work/part.XXXXXX")
    if ! (cd "$part" && apt-get download "$1" >"$part/log" 2>&1); then
        cat "$part/log" >&2
        rm -rf "$part"
        cannot "$1 could not be fetched" "apt-get update; not on Debian: set VM_KERNEL and VM_BUSYBOX"
    fi
    dpkg-deb -x "$part"/*.deb "$part/x"
    mv "$part/x" "$work/$1"
    rm -rf "$part"
}

kernel=${VM_KERNEL:-}
if [ -z "$kernel" ]; then
    # What is unpacked already is used again, so that a second run needs no network.
    kernel=$(find "$work" -path '*/boot/vmlinuz-*' | sort -V | tail -n 1)
    if [ -z "$kernel" ]; then
        need apt-cache apt
        image=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
        [ -n "$image" ] || cannot "no package linux-image-cloud-amd64 is known" "apt-get update; not on Debian: set VM_KERNEL and VM_BUSYBOX"
        fetch "$image"
        kernel=$(find "$work/$image/boot" -name 'vmlinuz-*' | head -n 1)
    fi
fi
[ -r "$kernel" ] || cannot "no kernel at ${kernel:-$work}" "remove $work, or set VM_KERNEL"
busybox=${VM_BUSYBOX:-}
if [ -z "$busybox" ]; then
    fetch busybox-static
    busybox=$(find "$work/busybox-static" -type f -name busybox -perm -u+x | head -n 1)
fi
[ -x "$busybox" ] || cannot "no busybox at ${busybox:-$work}" "remove $work, or set VM_BUSYBOX"

# The initramfs.
root=$(mktemp -d "$work/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
[ -z "${VM_SYSTEMD:-}" ] || systemd_root "$root"
mkdir -p "$root"/{bin,proc,sys,dev,tmp,lab/cases}
cp "$busybox" "$root/bin/busybox"
ln -sf busybox "$root/bin/sh"
cp "$here/guest.sh" "$root/lab/guest.sh"
cp "$here"/guest/*.sh "$root/lab/cases/"
if [ -n "${VM_SYSTEMD:-}" ]; then
    systemd_machine "$root"
else
    ln -s lab/guest.sh "$root/init"
fi
chmod 755 "$root/lab/guest.sh"
# A disk in memory, for swap. Not there with a kernel of your own: that case is skipped then, loudly.
brd=$(find "$work" -path "*/$(basename "$kernel" | sed s/^vmlinuz-//)/*" -name brd.ko | head -n 1)
[ -z "$brd" ] || cp "$brd" "$root/lab/brd.ko"
cp "$lastgasp" "$root/lab/lastgasp"
for p in resource-service admin loadgen dies; do cp "$programs/$p" "$root/lab/$p"; done
# Shared libraries at the paths where the loader looks for them; a static binary has none.
{ ldd "$lastgasp" 2>/dev/null || true; } | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }' | while read -r lib; do
    # systemd's machine has most of them.
    [ ! -L "$root$lib" ] && [ ! -e "$root$lib" ] || continue
    mkdir -p "$root$(dirname "$lib")"
    cp -L "$lib" "$root$lib"
done
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$work/initramfs.gz"

echo "lab/vm: $(basename "$kernel"), lastgasp and the lab's incident in a virtual machine; console in $work/console.log" >&2
started=$SECONDS
cases=${VM_CASES:+lab.cases=${VM_CASES// /,}}
# -no-reboot with panic=-1: a panic ends the machine. One line in the log is one line of the guest, without the console's carriage returns.
timeout --kill-after=10 "${VM_TIMEOUT:-900}" nice -n 10 qemu-system-x86_64 \
    -accel tcg,thread=multi -smp 2 -m 2G -nodefaults -no-user-config -display none -no-reboot -serial stdio \
    -kernel "$kernel" -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off ${cases} ${VM_SYSTEMD:+SYSTEMD_LOG_SECCOMP=1 systemd.show_status=no}" </dev/null | tr -d '\r' | tee "$work/console.log" || true

verdict=$(grep -a '^VM-RESULT ' "$work/console.log" | tail -n 1 || true)
took=$((SECONDS - started))
case $verdict in
    "VM-RESULT PASS"*) echo "PASS cgroup v2: ${verdict#VM-RESULT PASS }, $took s"; exit 0 ;;
    "VM-RESULT FAIL"*) echo "FAIL cgroup v2: ${verdict#VM-RESULT FAIL }, $took s"; exit 1 ;;
    *) echo "FAIL cgroup v2: the machine ended without a result after $took s (VM_TIMEOUT is ${VM_TIMEOUT:-900} s)"; exit 1 ;;
esac
