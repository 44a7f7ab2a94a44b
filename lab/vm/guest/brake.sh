# The cases of `lastgasp watch --mode brake`: memory.high of a stranger's group, set for seconds and put back. A part of guest.sh.

HIGH=$ROOT/lab-a/memory.high
RATE_FAST=20000000
# Growth that stops by itself between the tripwire (93 % of the limit) and the limit.
NEARLY="-after 3s -rate $RATE_FAST -most 114000000"

# brake_starts [TOML...]: the daemon, with that in its configuration file.
brake_starts() {
    mkdir -p $WORK/$case
    printf '%s\n' "$@" >$WORK/$case/lastgasp.toml
    daemon brake --config $WORK/$case/lastgasp.toml || return 1
    group lab-a $DIES_LIMIT
}
# Notes time, usage and memory.high every few hundredths of a second, as long as the group is there. No process is started for it.
measure() {
    (
        while read -r up idle </proc/uptime && read -r used <$ROOT/lab-a/memory.current && read -r high <$HIGH; do
            echo "$up $used $high"
            usleep 20000
        done
    ) >$dir/curve 2>/dev/null &
}
# is_set OTHERS: the tripwire stands. What it is once was not there: tries again.
is_set() { [ "$(cat $HIGH)" != $1 ]; }
is_back() { [ "$(cat $HIGH)" = $1 ]; }
# tripped OTHERS: waits for it, and looks where it stands.
tripped() {
    within_fast is_set $1 || { fail "no tripwire: $(cat $HIGH), $(grep -i brake $dir/log | tail -n 2)"; return 1; }
    high=$(cat $HIGH) used=$(cat $ROOT/lab-a/memory.current)
    check "a tripwire at $((high / 1024)) KiB, between 93 % of the limit and the limit of $((DIES_LIMIT / 1024)) KiB; $((used / 1024)) KiB are used" \
        [ $high -ge $((DIES_LIMIT / 100 * 93 - 4096)) -a $high -lt $DIES_LIMIT ]
}
within_fast() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 2000 ] || return 1; usleep 10000; done; }
# Rates from the curve: the second before the tripwire was crossed, and from there to its end.
slowed() {
    rates=$(awk -v others=$1 '
        $3 != others && $2 >= $3 && !crossed { crossed = NR }
        { t[NR] = $1; u[NR] = $2; set[NR] = $3 != others }
        END {
            if (!crossed) exit
            first = crossed; while (first > 1 && t[crossed] - t[first] < 1) first--
            last = crossed; top = crossed
            while (last < NR && set[last + 1] && t[last + 1] - t[crossed] < 5) { last++; if (u[last] > u[top]) top = last }
            if (t[crossed] == t[first] || t[top] - t[crossed] < 0.2) exit
            printf "%d %d %.1f", (u[crossed] - u[first]) / (t[crossed] - t[first]) / 1000, (u[top] - u[crossed]) / (t[top] - t[crossed]) / 1000, t[last] - t[crossed]
        }' $dir/curve)
    set -- $rates
    check "growth was ${1:-?} kB/s before the tripwire and ${2:-?} kB/s beyond it (over ${3:-?} s): half at most" [ -n "$rates" -a $((${2:-1} * 2)) -le ${1:-0} ]
}

# To the death: slowed down, captured before and after.
case_brake() {
    brake_starts || return
    before=$(settings lab-a)
    grows lab-a -after 3s -rate $RATE_FAST
    measure
    tripped max
    dies 60 $victim
    check "memory.high is back" within 7 is_back max
    check "the group is as it was" [ "$(settings lab-a)" = "$before" ]
    slowed max
    daemon_ends
    check "captured before the kill ($(phases $victim))" has_phase $victim pre-kill
    captured $victim
    check "the group can be removed" within 10 freed lab-a
}

# It stops growing by itself: after brake.longest the tripwire is gone, and nobody has died.
case_brake_time() {
    brake_starts '[brake]' 'longest = "3s"' || return
    grows lab-a $NEARLY
    tripped max
    began=$(cut -d. -f1 /proc/uptime)
    check "memory.high is back" within 10 is_back max
    took=$(($(cut -d. -f1 /proc/uptime) - began))
    check "after $took s of 3" [ $took -le 5 ]
    sleep 2
    check "and is not set again" is_back max
    check "it lives" alive $victim
    kill -9 $victim
    daemon_ends
    check "the group can be removed" within 10 freed lab-a
}

# Somebody else has set one (Kubernetes' MemoryQoS): let be.
OTHERS=$((DIES_LIMIT / 4096 * 97 / 100 * 4096))
case_brake_others() {
    brake_starts || return
    echo $OTHERS >$HIGH
    grows lab-a -after 3s -rate $RATE_FAST
    measure
    dies 60 $victim
    check "memory.high was never another" awk -v others=$OTHERS '$3 != others { exit 1 } END { exit NR < 10 }' $dir/curve
    check "why is said" grep -q 'somebody else brakes here' $dir/log
    check "the kernel's word was heard (memory.events)" grep -q "the kernel says that its memory runs out pid=$victim" $dir/log
    daemon_ends
    captured $victim
    check "the group can be removed" within 10 freed lab-a
}

# With brake.over_others: ours is lower for a while, and theirs is put back exactly.
case_brake_over_others() {
    brake_starts '[brake]' 'over_others = true' 'longest = "3s"' || return
    echo $OTHERS >$HIGH
    grows lab-a $NEARLY
    tripped $OTHERS
    check "lower than theirs" [ ${high:-0} -lt $OTHERS ]
    check "theirs is back: $OTHERS" within 10 is_back $OTHERS
    kill -9 $victim
    daemon_ends
    check "the group can be removed" within 10 freed lab-a
}

# The daemon is killed while it is set: the watchdog puts it back. The time-box is long, so that it cannot have been that.
case_brake_kill9() {
    brake_starts '[brake]' 'longest = "30s"' || return
    grows lab-a $NEARLY
    tripped max
    kill -9 $lg
    check "memory.high is back within a second" within 1 is_back max
    within 10 ended $lg || fail "the daemon lives"
    check "the watchdog has ended" within 10 no_watchdog
    check "not frozen" is_thawed $ROOT/lab-a
    check "it lives" alive $victim
    kill -9 $victim
    check "the group can be removed" within 10 freed lab-a
}

# The daemon stands still while it is set: half a second later the watchdog puts it back.
case_brake_stalled() {
    brake_starts '[brake]' 'longest = "30s"' || return
    grows lab-a $NEARLY
    tripped max
    kill -STOP $lg
    check "memory.high is back within two seconds" within 2 is_back max
    kill -CONT $lg
    sleep 1
    check "and stays" is_back max
    kill -9 $victim
    daemon_ends
    check "the group can be removed" within 10 freed lab-a
}

# Both are killed: the next start with the same store puts it back.
case_brake_journal() {
    brake_starts '[brake]' 'longest = "30s"' || return
    grows lab-a $NEARLY
    tripped max
    # At one moment: the daemon stands still, so that it cannot put it back itself (once it was back, with the signals sent one after the other; who did it was not
    # seen), and the watchdog has no time to see that it stands still.
    kill -STOP $lg
    kill -9 $watchdog
    kill -9 $lg
    read -r then <$HIGH
    check "set as they are killed: $then" [ "$then" = "${high:-}" ]
    within 10 ended $lg || fail "the daemon lives"
    sleep 2
    check "it stands, as nobody is left to put it back" [ "$(cat $HIGH)" = "${high:-}" ]
    daemon brake || return
    check "the next start says so" grep -q "set $HIGH back to max" $dir/log
    check "memory.high is back" is_back max
    kill -9 $victim
    daemon_ends
    check "the group can be removed" within 10 freed lab-a
}
