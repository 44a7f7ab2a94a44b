# The cases of `lastgasp watch`: lab/programs/dies in groups of its own. A part of guest.sh.

MIB=1048576
DIES_LIMIT=$((128 * MIB))
DIES=main.growA          # who grows

# daemon MODE MORE...: starts it and waits until it watches; sets lg and watchdog. Its log is added to, so that a second start is seen behind the first.
daemon() {
    mode=$1; shift
    dir=$WORK/$case
    mkdir -p $dir
    [ -f $dir/log ] || : >$dir/log
    started=$(grep -c 'the fastest growth' $dir/log)
    LASTGASP_LOG=debug LASTGASP_CACHE_DIR='' /lab/lastgasp watch --store $dir/store --mode $mode --service dies --listen off "$@" >>$dir/log 2>&1 </dev/null &
    lg=$!
    within 30 watches_again || { fail "the daemon does not begin"; show $dir/log; return 1; }
    within 20 trial_over || fail "the trial of the pin does not end"
    say "      $(sed -n 's/.*\(after an OOM kill memory .*\)/\1/p' $dir/log | tail -n 1)"
    watchdog=$(watchdogs)
    check "one watchdog runs ($watchdog)" [ "$(echo $watchdog | wc -w)" = 1 ]
}
# What it has said: as a service of systemd to journald (systemd.sh).
daemon_log() { if [ -f $dir/log ]; then cat $dir/log; else service_log; fi; }
watches_again() { [ "$(grep -c 'the fastest growth' $dir/log)" -gt $started ]; }
trial_over() { [ "$(grep -c 'after an OOM kill memory\|memory cannot be held\|how long memory' $dir/log)" -gt $started ] && [ "$(watchdogs | wc -w)" -le 1 ]; }
watchdogs() { for p in /proc/[0-9]*; do tr '\0' ' ' 2>/dev/null <$p/cmdline | grep -q '^/proc/self/exe watchdog ' && basename $p; done; }

# Ends it as a service manager does: all is written then.
daemon_ends() {
    kill -TERM $lg
    within 60 ended $lg && ok "the daemon ends" || fail "the daemon does not end"
    check "it did not panic" sh -c "! grep -q panicked $dir/log"
    check "nothing is frozen" nothing_frozen
    check "the watchdog has ended" within 10 no_watchdog
    check "its journal is empty" [ -z "$(ls $dir/store/.journal 2>/dev/null)" ]
}
no_watchdog() { [ -z "$(watchdogs)" ]; }

# group NAME [LIMIT]: makes $ROOT/NAME.
group() { mkdir -p $ROOT/$1; [ -z "${2:-}" ] || echo $2 >$ROOT/$1/memory.max; }
# into GROUP COMMAND...: runs it there; sets victim.
into() {
    into=$ROOT/$1; shift
    sh -c 'echo 0 >'$into'/cgroup.procs; exec "$@"' sh "$@" >/dev/null 2>&1 </dev/null &
    victim=$!
}
is_watched() { grep -q "watched pid=$1 " $dir/log; }
# grows GROUP ARGS...: lab/programs/dies in that group, known to the daemon.
grows() { g=$1; shift; into $g /lab/dies "$@"; within 20 is_watched $victim || fail "process $victim is not watched"; }
# dies SECONDS PID: within that time, killed by the kernel.
dies() { within $1 ended $2 && ok "process $2 has died" || { fail "process $2 lives, $(cat $ROOT/lab-*/memory.current)"; kill -9 $2; }; }
oom_killed() { dmesg | grep -q "Killed process $1 "; }
freed() { rmdir $ROOT/$1 2>/dev/null; }
# of PID: its captures. phases PID: what they are.
of() { find $dir/store/ -path "*-$1-*/manifest.json"; }
phases() { for m in $(of $1); do tr -d '\n' <$m | sed 's/.*"phase": *"\([^"]*\)".*/\1/'; echo; done | sort | tr '\n' ' '; }
has_phase() { for p in $(phases $1); do [ $p = $2 ] && return 0; done; return 1; }
# Every capture of PID names the line that grows, with its verdict's sentence.
all_name() {
    [ -n "$(of $1)" ] || return 1
    unnamed=
    for m in $(of $1); do verdict_names $(dirname $m)/report.txt "$DIES" || unnamed="$unnamed $(dirname $m)"; done
    [ -z "$unnamed" ]
}
limits_are() { for m in $(of $1); do zcat $(dirname $m)/facts.json.gz | grep -q "\"limit_bytes\": *$2\b" || return 1; done; }
sources_are() { for m in $(of $1); do zcat $(dirname $m)/facts.json.gz | grep -q "\"limit_source\": *\"$2\"" || return 1; done; }
captured() {
    check "captured after the kill ($(phases $1))" has_phase $1 post-kill
    has_phase $1 post-kill || { daemon_log | grep 'evidence\|in vain\|killed by' | tail -n 10 >$dir/shown; show $dir/shown; }
    check "every capture names $DIES" all_name $1
    for u in $unnamed; do say "      $(basename $u) does not:"; sed -n '1,/^NEXT/p' $u/report.txt | head -n 30 >$dir/shown; show $dir/shown; done
}
# The settings of a group that a stranger must find as they were.
settings() { for f in memory.max memory.high memory.min memory.low memory.oom.group memory.swap.max cgroup.freeze; do echo "$f $(cat $ROOT/$1/$f 2>/dev/null)"; done; }

# Struck before the kill, read after it.
case_watch() {
    daemon freeze || return
    group lab-a $DIES_LIMIT
    before=$(settings lab-a)
    grows lab-a -after 3s -rate 20000000
    dies 60 $victim
    check "by the kernel, for memory" oom_killed $victim
    check "the group is as it was" [ "$(settings lab-a)" = "$before" ]
    daemon_ends
    check "captured before the kill ($(phases $victim))" has_phase $victim pre-kill
    captured $victim
    check "the group can be removed" within 10 freed lab-a
}

# Reads, and stops nobody: nothing of the group is ever written.
case_watch_observe() {
    daemon observe || return
    group lab-a $DIES_LIMIT
    before=$(settings lab-a)
    grows lab-a -after 3s -rate 20000000
    dies 60 $victim
    check "the group is as it was" [ "$(settings lab-a)" = "$before" ]
    daemon_ends
    captured $victim
    check "and not before ($(phases $victim))" sh -c "! echo '$(phases $victim)' | grep -q pre-kill"
    check "the group can be removed" within 10 freed lab-a
}

# A limit that is lowered on a calm process (docker update, a pod that is resized in place): known at once.
case_watch_lowered() {
    daemon freeze || return
    group lab-a $((1024 * MIB))
    grows lab-a -after 25s -rate 20000000
    sleep 15
    echo $((100 * MIB)) >$ROOT/lab-a/memory.max
    dies 60 $victim
    check "by the kernel, for memory" oom_killed $victim
    daemon_ends
    check "captured before the kill ($(phases $victim))" has_phase $victim pre-kill
    captured $victim
    check "with the new limit" limits_are $victim $((100 * MIB))
    check "the group can be removed" within 10 freed lab-a
}

# Daemon and watchdog are killed in one moment, as a container's end does it, while a victim stands still: the kernel lets it go, and nobody else is there to. The
# moment is a few milliseconds long, and so there are several tries.
case_watch_kill9_both() {
    hit=
    for try in 1 2 3 4 5 6 7 8; do
        daemon freeze || return
        group lab-a $DIES_LIMIT
        grows lab-a -after 1s -rate 20000000 -decoy 20000000
        stands=0
        until [ "$stands" = 1 ] || ended $victim; do
            n=0
            # Without starting a process: those take longer than the stop.
            while [ $n -lt 2000 ]; do
                read -r stat </proc/$victim/stat || break
                case "$stat" in *") t "*)
                    kill -9 $lg $watchdog
                    stands=1
                    break ;;
                esac
                n=$((n + 1))
            done
        done
        kill -9 $lg $watchdog 2>/dev/null
        within 10 ended $lg || fail "the daemon lives"
        within 1 runs_again || fail "it stands still a second later: $(cat /proc/$victim/task/*/stat | cut -d' ' -f3 | tr '\n' ' ')"
        check "nothing is frozen" nothing_frozen
        say "      try $try: seen standing still: $stands, and it runs"
        dies 60 $victim
        within 10 no_watchdog || fail "the watchdog is still there"
        within 10 freed lab-a || fail "the group cannot be removed"
        if [ "$stands" = 1 ]; then hit=$try; break; fi
    done
    check "daemon and watchdog killed while it stood still, at try ${hit:-none}; it ran on, and died of its own growth" [ -n "$hit" ]
}
# Neither stopped nor traced, not a thread of it.
runs_again() { ! cat /proc/$victim/task/*/stat 2>/dev/null | grep -q ') [tT] ' && ! cat /proc/$victim/task/*/status 2>/dev/null | grep '^TracerPid' | grep -qv '[^0-9]0$'; }

# As Kubernetes sets it: the kill of one is the kill of all.
case_watch_oom_group() {
    daemon freeze || return
    group lab-a $DIES_LIMIT
    echo 1 >$ROOT/lab-a/memory.oom.group
    into lab-a sleep 1000
    bystander=$victim
    grows lab-a -after 3s -rate 20000000
    dies 60 $victim
    check "and the bystander with it" within 10 ended $bystander
    daemon_ends
    captured $victim
    check "the group can be removed" within 10 freed lab-a
}

# The limit stands on the group above, as Kubernetes sets a pod's.
case_watch_nested() {
    daemon freeze || return
    group lab-pod $DIES_LIMIT
    echo +memory >$ROOT/lab-pod/cgroup.subtree_control
    group lab-pod/inner
    grows lab-pod/inner -after 3s -rate 20000000
    dies 60 $victim
    daemon_ends
    captured $victim
    check "against the limit of the group above" limits_are $victim $DIES_LIMIT
    check "which is said" sources_are $victim $ROOT/lab-pod/memory.max
    check "captured before the kill ($(phases $victim))" has_phase $victim pre-kill
    check "the groups can be removed" within 10 sh -c "rmdir $ROOT/lab-pod/inner 2>/dev/null; rmdir $ROOT/lab-pod"
}

# Two Go processes and another one in one group: the one that is killed is captured, the one that is left is watched to its own end.
case_watch_many() {
    daemon freeze || return
    group lab-a $DIES_LIMIT
    into lab-a sleep 1000
    other=$victim
    grows lab-a -after 3s -rate 20000000
    first=$victim
    grows lab-a -after 30s -rate 20000000
    second=$victim
    dies 60 $first
    check "the others live" alive $second
    check "not frozen" within 5 is_thawed $ROOT/lab-a
    dies 90 $second
    check "who is no Go program lives" alive $other
    kill -9 $other
    daemon_ends
    captured $first
    check "the second is captured after its kill ($(phases $second))" has_phase $second post-kill
    check "the group can be removed" within 10 freed lab-a
}

# Moved to another group, and the old one removed; then the limit is lowered.
case_watch_changes() {
    daemon freeze || return
    group lab-a $((256 * MIB))
    group lab-b $((192 * MIB))
    grows lab-a -after 6s -rate 20000000
    echo $victim >$ROOT/lab-b/cgroup.procs
    check "the old group can be removed while its process is watched" within 10 freed lab-a
    sleep 1
    echo $((96 * MIB)) >$ROOT/lab-b/memory.max
    dies 60 $victim
    daemon_ends
    captured $victim
    check "against the limit that held in the end" limits_are $victim $((96 * MIB))
    check "of the group that it was in" sources_are $victim $ROOT/lab-b/memory.max
    check "the group can be removed" within 10 freed lab-b
}

# Swap on: what is over the limit is written out before anybody is killed, and what is read of the dead stands partly there.
case_watch_swap() {
    if ! { [ -f /lab/brd.ko ] && insmod /lab/brd.ko rd_nr=1 rd_size=163840 && mkswap /dev/ram0 && swapon /dev/ram0; } >/dev/null 2>&1; then
        say "SKIPPED $case: no swap in this machine (its kernel's brd.ko is not there, or does not load)"
        return
    fi
    daemon freeze || return
    group lab-a $((96 * MIB))
    grows lab-a -after 3s -rate 20000000
    swapped=0
    while alive $victim && [ $swapped -lt 600 ]; do
        read -r now <$ROOT/lab-a/memory.swap.current && [ $now -gt ${most_swapped:=0} ] && most_swapped=$now
        usleep 100000
        swapped=$((swapped + 1))
    done
    dies 60 $victim
    say "      $((most_swapped / MIB)) MiB of it were swapped out"
    check "it had been swapped out in part" [ $most_swapped -gt $((16 * MIB)) ]
    daemon_ends
    captured $victim
    check "the group can be removed" within 10 freed lab-a
    swapoff /dev/ram0
}
