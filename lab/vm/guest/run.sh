# The cases of `lastgasp run`: the incident, scaled down. A part of guest.sh.

# The settings: smaller than lab/programs/incident/expect.toml, since emulation is slow. Memory grows by some 8 MB/s, in stairs: after each collection it rests while
# the sets fill what was freed. With Go 1.26 the rests are at 96, 136 and 195 MB, and the limit is between the last two.
IDS_CALM=312
IDS_BURST=50000
RATE=5
DOWNSTREAM=25s
BASE_MB=40
LIMIT=176160768          # 168 MiB
CALM=15                  # seconds
DEATH_MAX=90             # from publish to the end of lastgasp
FIXED_WATCH=25
CULPRIT=main.buildAvidMap
PORT=8099

# One request; busybox's wget, linked statically, crashes in the resolver.
healthy() { /lab/loadgen -url http://127.0.0.1:$PORT/healthz -rate 1 -duration 1s -timeout 15s | grep -q 'sent=1 ok=1'; }

# start DIR SERVICE_ARGS...: the service under lastgasp; sets lg (lastgasp), svc, group.
start() {
    dir=$1; shift
    mkdir -p $dir
    limited="--memory-max $LIMIT"
    [ -z "${NO_LIMIT:-}" ] || limited=
    # The copy's pages belong to no test group: near the limit they would be read again and again otherwise (lab/programs/incident/README.md).
    cp /lab/resource-service $dir/
    /lab/admin publish -config $dir/config.json -ids $IDS_CALM >/dev/null
    (
        sh -c 'echo $$ >'$dir'/pid; exec "$@"' sh ${INSIDE:-} /lab/lastgasp run $limited --store $dir/store ${RUN_ARGS:-} -- \
            $dir/resource-service -listen 127.0.0.1:$PORT -config $dir/config.json -truth $dir/truth -downstream $DOWNSTREAM "$@" \
            >$dir/out 2>$dir/err </dev/null
        echo $? >$dir/code
    ) &
    if ! within 60 healthy; then
        fail "the service does not answer"; show $dir/out; show $dir/err; return 1
    fi
    lg=$(cat $dir/pid) svc=$(pidof resource-service | cut -d' ' -f1)
    group=$ROOT$(sed -n 's/^0:://p' /proc/$svc/cgroup)
    check "the service is in a group of its own ($group)" [ "$(basename $group)" = lastgasp-run-$lg ]
    check "memory.max is $LIMIT: $(cat $group/memory.max)" holds $group/memory.max $LIMIT
}
load() {
    /lab/loadgen -url "http://127.0.0.1:$PORT/x/resource/ugctab?aids=170001,455017,1234567" -rate $RATE -timeout 60s -duration $1s >$dir/load 2>&1 &
    loader=$!
}
publish() { /lab/admin publish -config $dir/config.json -ids $IDS_BURST | sed 's/ unix_nanos.*//'; }
usage() { echo "$(($(cat $group/memory.current 2>/dev/null || echo 0) / 1048576)) MiB of $((LIMIT / 1048576))"; }

# The kill: verdict, capture, nothing left. $1: the capture that must be there.
kill_case() {
    dmesg -c >/dev/null
    start $WORK/$case -base-mb $BASE_MB -measure-ids $IDS_BURST || return
    load $((CALM + DEATH_MAX))
    sleep $CALM
    check "alive after $CALM s of calm, $(usage)" alive $svc
    say "      $(publish)"
    begun=$(cut -d. -f1 /proc/uptime)
    within $DEATH_MAX ended $svc || fail "not dead after $DEATH_MAX s, $(usage)"
    say "      the service ended $(($(cut -d. -f1 /proc/uptime) - begun)) s after the publish"
    within 60 [ -f $dir/code ] || { fail "lastgasp does not end"; kill -9 $lg $svc; }
    left=$(groups); frozen_somewhere && fail "something is still frozen"
    kill $loader
    say "      lastgasp says (exit code $(cat $dir/code 2>/dev/null)):"
    show $dir/out; show $dir/err
    check "the kernel's OOM killer did it, in the group" sh -c "dmesg | grep -q 'oom-kill:constraint=CONSTRAINT_MEMCG.*oom_memcg=/.*lastgasp-run-$lg.*task=resource-servic'"
    check "exit code 1 or 3" grep -qx '[13]' $dir/code
    check "the verdict names $CULPRIT" verdict_names $dir/out "$CULPRIT"
    for c in $(captures $dir/store); do say "      capture $(basename $(dirname $c)): $(tr -d '\n' <$c | grep -o '"reason": *"[^"]*"')"; done
    if [ $1 = post ]; then
        check "a capture from after the kill, counted as an OOM kill" has_capture $dir/store post-kill oom-kill
    else
        check "a capture from before the kill" has_capture $dir/store pre-kill forecast
    fi
    check "its group is gone as lastgasp ends" [ -z "$left" ]
    check "nothing is frozen" nothing_frozen
}

case_kill() { kill_case post; }
case_pin_only() { RUN_ARGS=--no-freeze kill_case post; }
case_freeze_only() { RUN_ARGS=--no-pin kill_case pre; }

# As in a container or a systemd service: lastgasp is in a group below the root that holds processes and so cannot hand the controller down itself.
case_nested() {
    mkdir -p $ROOT/slice/unit
    echo +memory >$ROOT/slice/cgroup.subtree_control
    echo 'echo 0 >'$ROOT'/slice/unit/cgroup.procs; exec "$@"' >/tmp/inside
    INSIDE="sh /tmp/inside" kill_case post
    case $group in $ROOT/slice/lastgasp-run-*) ok "the group stands beside lastgasp's own" ;; *) fail "the group is $group" ;; esac
    rmdir $ROOT/slice/unit $ROOT/slice || fail "the slice cannot be removed"
}

# lastgasp in a group with a limit (a systemd unit with MemoryMax=), and none asked for: the unit's must go on to apply, although the group stands beside it.
case_unit_limit() {
    mkdir -p $ROOT/slice/unit
    echo +memory >$ROOT/slice/cgroup.subtree_control
    echo $LIMIT >$ROOT/slice/unit/memory.max
    echo 'echo 0 >'$ROOT'/slice/unit/cgroup.procs; exec "$@"' >/tmp/inside
    INSIDE="sh /tmp/inside" NO_LIMIT=1 start $WORK/$case -base-mb 5 -measure-ids 1000
    kill -TERM $svc
    within 30 [ -f $dir/code ] || fail "lastgasp does not end"
    show $dir/err
    rmdir $ROOT/slice/unit $ROOT/slice || fail "the slice cannot be removed"
}

# The repaired service lives on with the same load and the same publish, and nothing is captured.
case_fixed() {
    start $WORK/fixed -base-mb $BASE_MB -measure-ids $IDS_BURST -fixed || return
    load $((CALM + FIXED_WATCH))
    sleep $CALM
    say "      $(publish), $(usage)"
    sleep $FIXED_WATCH
    check "alive $FIXED_WATCH s after the publish, $(usage)" alive $svc
    check "and it answers" healthy
    kill -TERM $svc
    within 30 [ -f $dir/code ] || fail "lastgasp does not end after SIGTERM to the service"
    left=$(groups)
    kill $loader 2>/dev/null
    say "      lastgasp says (exit code $(cat $dir/code 2>/dev/null)):"
    show $dir/out; show $dir/err
    check "the exit code is the command's own, 143" grep -qx 143 $dir/code
    check "no capture" [ -z "$(captures $dir/store)" ]
    check "its group is gone as lastgasp ends" [ -z "$left" ]
    check "nothing is frozen" nothing_frozen
}

# After a kill -9 of lastgasp: the service lives on, its group goes when it ends.
abandoned() {
    within 5 is_thawed $group && ok "not frozen" || fail "frozen: $(tr '\n' ' ' <$group/cgroup.events)"
    sleep 2
    check "the service lives" alive $svc
    check "and answers" healthy
    check "its limit still stands" holds $group/memory.max $LIMIT
    kill -TERM $svc
    within 20 ended $svc || { fail "the service did not end"; kill -9 $svc; }
    within 10 [ ! -d $group ] && ok "its group is gone" || fail "$group is still there: $(tr '\n' ' ' <$group/cgroup.events)"
    within 5 ended $watchdog && ok "the watchdog has ended" || fail "the watchdog is still there"
}
small() {
    start $WORK/$case -base-mb 5 -measure-ids 1000 || return 1
    watchdog=$(for p in /proc/[0-9]*; do tr '\0' ' ' 2>/dev/null <$p/cmdline | grep -q '^/proc/self/exe watchdog ' && basename $p; done)
    check "one watchdog runs ($watchdog), outside the group" sh -c "[ -n '$watchdog' ] && ! grep -qx '$watchdog' $group/cgroup.procs"
}
case_kill9() {
    small || return
    kill -9 $lg
    within 10 ended $lg || fail "lastgasp lives"
    abandoned
}
# The same, at the worst moment.
case_kill9_frozen() {
    small || return
    echo 1 >$group/cgroup.freeze
    within 5 is_frozen $group || fail "could not be frozen"
    kill -9 $lg
    within 10 ended $lg || fail "lastgasp lives"
    abandoned
}
# lastgasp and its watchdog are both killed while the service is frozen: the next run carries out the journal.
case_journal() {
    small || return
    echo 1 >$group/cgroup.freeze
    within 5 is_frozen $group || fail "could not be frozen"
    kill -9 $watchdog $lg
    within 10 ended $lg || fail "lastgasp lives"
    sleep 2
    check "frozen, as nobody is left to thaw it" is_frozen $group
    /lab/lastgasp run --store $dir/store -- /bin/true >$dir/out 2>$dir/err
    show $dir/err
    check "the next run says so" grep -q "thawed $group" $dir/err
    within 5 is_thawed $group && ok "not frozen" || fail "still frozen"
    check "the service answers" healthy
    kill -TERM $svc
    within 20 ended $svc || fail "the service did not end"
    /lab/lastgasp run --store $dir/store -- /bin/true >$dir/out 2>$dir/err
    show $dir/err
    check "the run after its end removes the group" [ ! -d $group ]
    check "and forgets the journal" [ -z "$(ls $dir/store/.journal)" ]
}
