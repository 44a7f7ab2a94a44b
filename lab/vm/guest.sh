#!/bin/sh
# Runs as /init in the machine that run.sh starts, and then once more as its only child; where systemd is process 1, as a service of it. busybox ash.
#
# The cases, in guest/run.sh, guest/watch.sh, guest/brake.sh and guest/systemd.sh:
#   kill          `lastgasp run` and the incident: verdict, a capture from after the kill, nothing left behind
#   fixed         the repaired service under the same load: no capture, ended by SIGTERM
#   kill9         kill -9 of lastgasp: the service lives on, the watchdog removes its group when it ends
#   kill9_frozen  the same while the service is frozen
#   journal       lastgasp and watchdog killed while the service is frozen: the next run thaws it
#   freeze_only   the incident with --no-pin: a capture from before the kill, taken in a stop
#   nested        the incident with lastgasp in a group that cannot hand the controller down
#   pin_only, unit_limit   on demand (VM_CASES): the incident with --no-freeze; the limit of the group that lastgasp itself is in
#   watch         `lastgasp watch`: a stranger's group, struck before the kill and read after it, everything as it was
#   watch_observe, watch_kill9_both, watch_oom_group, watch_nested, watch_many, watch_changes, watch_swap, watch_lowered
#   brake         memory.high is set for seconds: growth before and beyond it
#   brake_time, brake_others, brake_over_others, brake_kill9, brake_stalled, brake_journal
#   systemd       the unit as it is shipped under a real systemd, in a machine of its own (VM_SYSTEMD)
#   systemd_kill9, systemd_observe, systemd_brake
export PATH=/bin:/sbin HOME=/tmp

if [ $$ = 1 ]; then
    /bin/busybox --install -s /bin
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs dev /dev 2>/dev/null
    mkdir -p /dev/shm
    mount -t tmpfs -o size=512m tmpfs /dev/shm
    mount -t tmpfs -o size=512m tmpfs /tmp
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    echo +memory >/sys/fs/cgroup/cgroup.subtree_control
    ip link set lo up
    ulimit -n 8192
    # Process 1 does nothing but wait, and so reaps whatever loses its parent.
    sh /init </dev/null &
    wait
    sync
    poweroff -f
fi

ROOT=/sys/fs/cgroup
WORK=/dev/shm/lab

failures=0 checks=0 case=
say() { echo "[$(cut -d. -f1 /proc/uptime) s] $*"; }
ok() { checks=$((checks + 1)); say "ok    $case: $*"; }
fail() { checks=$((checks + 1)); failures=$((failures + 1)); say "FAIL  $case: $*"; }
# check WHAT COMMAND...: by the command's exit code.
check() { what=$1; shift; if "$@" >/dev/null 2>&1; then ok "$what"; else fail "$what"; fi; }
# within SECONDS COMMAND...: tries again until it succeeds.
within() {
    tries=$(($1 * 10)); shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}
show() { sed 's/^/    | /' "$1"; }

# ---- what is asked about processes and groups
alive() { [ -d /proc/$1 ] && ! grep -q '^State:.*[ZX]' /proc/$1/status; }
ended() { ! alive $1; }
# Those that lastgasp makes and those that the cases make, inner ones first.
groups() { find $ROOT -depth -type d '(' -name 'lastgasp-*' -o -path "$ROOT/lab-*" ')'; }
no_groups() { [ -z "$(groups)" ]; }
frozen_somewhere() { cat $(find $ROOT -name cgroup.freeze) </dev/null | grep -q 1 || grep -qs 'frozen 1' $(find $ROOT -name cgroup.events); }
nothing_frozen() { ! frozen_somewhere; }
is_frozen() { grep -q 'frozen 1' $1/cgroup.events; }
is_thawed() { grep -q 'frozen 0' $1/cgroup.events && [ "$(cat $1/cgroup.freeze)" = 0 ]; }
holds() { [ "$(cat $1)" = "$2" ]; }
captures() { find $1 -name manifest.json; }
# The verdict is the text from VERDICT to the next head word.
verdict() { sed -n '/^VERDICT/,$p' $1 | awk 'NR > 1 && /^[A-Z]/ { exit } { print }'; }
verdict_names() { verdict $1 | grep -q "$2"; }
# has_capture STORE PHASE REASON: one of that kind is there.
has_capture() { for m in $(captures $1); do grep -q "\"phase\": *\"$2\"" $m && grep -q "\"reason\": *\"$3\"" $m && return 0; done; return 1; }

. /lab/cases/run.sh
. /lab/cases/watch.sh
. /lab/cases/brake.sh
. /lab/cases/systemd.sh

say "Linux $(uname -r), controllers: $(cat $ROOT/cgroup.controllers); handed down: $(cat $ROOT/cgroup.subtree_control)"
mkdir -p $WORK
cases=$(sed -n 's/.*lab\.cases=\([^ ]*\).*/\1/p' /proc/cmdline | tr , ' ')
all_run="kill fixed kill9 kill9_frozen journal freeze_only nested"
all_watch="watch watch_observe watch_kill9_both watch_oom_group watch_nested watch_many watch_changes watch_swap watch_lowered"
all_brake="brake brake_time brake_others brake_over_others brake_kill9 brake_stalled brake_journal"
all="$all_run $all_watch $all_brake"
[ ! -d /run/systemd/system ] || all="systemd systemd_kill9 systemd_observe systemd_brake"
for case in ${cases:-$all}; do
    say "---- $case"
    case_$case
    # Whatever went wrong: the next case begins with an empty machine.
    for g in $(groups); do echo 0 >$g/cgroup.freeze; done
    killall -9 resource-service loadgen dies sleep 2>/dev/null
    within 15 no_groups || { fail "left behind: $(groups)"; killall -9 lastgasp; sleep 1; rmdir $(groups); }
    ! pidof lastgasp >/dev/null || { fail "lastgasp runs on"; killall -9 lastgasp; }
    rmdir $(groups) 2>/dev/null
    rm -rf ${WORK:?}/*
done
if [ $failures = 0 ] && [ $checks -gt 0 ]; then
    echo "VM-RESULT PASS $checks checks"
else
    echo "VM-RESULT FAIL $failures of $checks checks"
fi
