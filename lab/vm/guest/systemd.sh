# The unit as it is shipped, under a real systemd as process 1 (VM_SYSTEMD): its capabilities, its seccomp filter, its read-only file system. The victims are
# services of systemd too. A part of guest.sh.

STORE=/var/lib/lastgasp

# installed [LINE...]: docs/operations/install.md, with these lines in a drop-in of the unit; sets lg.
installed() {
    dir=$WORK/$case
    mkdir -p $dir /run/systemd/system/lastgasp.service.d
    ln -sfn $STORE $dir/store
    rm -rf ${STORE:?}
    printf '%s\n' '[Service]' "$@" >/run/systemd/system/lastgasp.service.d/lab.conf
    began=$(date +%s)
    systemctl daemon-reload
    systemctl enable --quiet --now lastgasp || { fail "systemctl enable --now lastgasp"; return 1; }
    within 60 daemon_is_healthy || { fail "it is not healthy"; service_log | tail -n 20; return 1; }
    within 30 trial_is_over || { fail "the trial of the pin does not end"; service_log | tail -n 20; }
    say "      $(service_log | sed -n 's/.*\(after an OOM kill memory .*\)/\1/p; s/^how long memory .*/&/p' | tail -n 1)"
    lg=$(property lastgasp MainPID)
}
property() { systemctl show $1 --property=$2 --value; }
service_log() { journalctl --unit=lastgasp --output=cat --no-pager --since=@$began; }
daemon_is_healthy() { wget -q -O /dev/null http://127.0.0.1:9464/healthz; }
metric() { wget -q -O - http://127.0.0.1:9464/metrics | awk -v name="$1" '$1 == name { print int($2) }'; }
counted() { [ "$(metric "$1")" -ge $2 ]; }
trial_is_over() { says 'after an OOM kill memory\|how long memory' && [ "$(watchdogs | wc -w)" = 1 ]; }
status_is() { grep -q "^$2:[[:space:]]*$3\$" /proc/$1/status; }
is_another() { pid=$(property lastgasp MainPID) && [ $pid != 0 ] && [ $pid != $1 ]; }
says() { service_log | grep -q "$1"; }

# service NAME ARGS...: lab/programs/dies as a service with a limit, watched; sets victim.
service() {
    name=$1; shift
    before=$(metric lastgasp_discovered_total)
    systemd-run --quiet --unit=$name --property=MemoryMax=$DIES_LIMIT --property=MemorySwapMax=0 /lab/dies "$@" || fail "systemd-run $name"
    victim=$(property $name MainPID)
    within 20 counted lastgasp_discovered_total $((before + 1)) || fail "process $victim is not watched"
}
# service_dies NAME: of memory, by the kernel's word and by systemd's.
service_dies() {
    dies 60 $victim
    check "by the kernel ($(property $1 Result))" [ "$(property $1 Result)" = oom-kill ]
    systemctl reset-failed $1
}
service_ends() {
    check "systemctl stop" systemctl stop lastgasp
    check "it ended by itself ($(property lastgasp Result))" [ "$(property lastgasp Result)" = success ]
    check "nothing of it is left" [ -z "$(pidof lastgasp)$(watchdogs)" ]
    check "nothing is frozen" nothing_frozen
    check "its journal is empty" [ -z "$(ls $STORE/.journal 2>/dev/null)" ]
    check "it did not panic" sh -c "! journalctl --unit=lastgasp --no-pager | grep -q panicked"
    check "its filter refused no system call ($(refused))" [ -z "$(refused)" ]
}
# The system calls that were refused to it, as thread:number (process 1 was started with SYSTEMD_LOG_SECCOMP). clone3 (435) is none: RestrictNamespaces= answers
# ENOSYS, since its flags cannot be filtered, and the C library takes clone instead.
refused() { dmesg | sed -n 's/.*type=1326 .*comm="\([^"]*\)" exe="[^"]*lastgasp".* syscall=\([0-9]*\).*/\1:\2/p' | grep -v ':435$' | sort -u | tr '\n' ' '; }

# Struck before the kill, read after it; confined as the unit says.
case_systemd() {
    installed || return
    check "it has four capabilities and no more" status_is $lg CapBnd 0000000000881004
    check "no new ones" status_is $lg NoNewPrivs 1
    check "a seccomp filter" status_is $lg Seccomp 2
    check "its memory is bounded ($(property lastgasp MemoryMax))" [ "$(property lastgasp MemoryMax)" = $((1408 * MIB)) ]
    check "the kernel tells of new processes" counted lastgasp_process_events 1
    service lab-dies -after 3s -rate 20000000
    service_dies lab-dies
    check "two captures are counted" within 30 counted 'lastgasp_captures_total{result="full"}' 2
    check "the journal of systemd has the verdict" within 30 says $DIES
    check "reload" systemctl reload lastgasp
    check "is heard" within 10 counted 'lastgasp_reloads_total{result="ok"}' 1
    service_ends
    check "captured before the kill ($(phases $victim))" has_phase $victim pre-kill
    captured $victim
}

# Killed again and again, it is back within seconds, knows who runs already, and does its work.
case_systemd_kill9() {
    installed || return
    service lab-dies -after 30s -rate 20000000
    for kill in 1 2 3 4 5 6 7; do
        kill -9 $lg
        within 10 is_another $lg || { fail "systemd does not start it again after kill $kill"; return; }
        lg=$(property lastgasp MainPID)
    done
    check "systemd starts it again each time, and it knows who runs" within 20 counted lastgasp_discovered_total 1
    check "the pin is not tried again since this boot" says 'was tried at an earlier start\|can be read for'
    service_dies lab-dies
    check "captured" within 30 counted 'lastgasp_captures_total{result="full"}' 1
    service_ends
    captured $victim
}

# docs/operations/install.md: reads, and the unit sees to it that it could not even write to a group.
case_systemd_observe() {
    installed ProtectControlGroups=yes 'ExecStart=' 'ExecStart=/usr/local/bin/lastgasp watch --config /etc/lastgasp/lastgasp.toml --mode observe' || return
    service lab-dies -after 3s -rate 20000000
    service_dies lab-dies
    service_ends
    check "not captured before the kill ($(phases $victim))" [ "$(phases $victim)" = "post-kill " ]
    captured $victim
}

# The tripwire is set on a service of systemd's, and is back.
case_systemd_brake() {
    installed 'ExecStart=' 'ExecStart=/usr/local/bin/lastgasp watch --config /etc/lastgasp/lastgasp.toml --mode brake' || return
    # Growth that stops by itself between the tripwire and the limit.
    service lab-dies -after 3s -rate 20000000 -most 114000000
    check "a tripwire is set" within 30 counted lastgasp_tripwires_total 1
    check "it is back" within 15 holds $ROOT/system.slice/lab-dies.service/memory.high max
    check "it lives" alive $victim
    systemctl stop lab-dies
    service_ends
}
