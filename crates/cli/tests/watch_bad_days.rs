//! Bad days of `lastgasp watch`, on real processes: targets that end, move, are held by others; groups that
//! change under the watch; its own death.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use watching::descriptors::Descriptors;
use watching::{
    Daemon, LIMIT, Moments, all_is_undone, alone, captures, ends, folders, forget, group, is_captured, limit_file,
    pin_is_tried, program, runs_again, start_in, states, turn, victim, wait_for,
};

mod watching;

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// Six for each that has a group of its own, held as it is where the machine could fill its limit in a
/// moment; of those that share one group three, and that group's.
#[test]
fn calm_processes_take_six_descriptors_each() {
    const ALONE: usize = 8;
    const TOGETHER: usize = 8;
    let _turn = alone();
    let (program, store) = (program("takes-few"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "takes-few", &[]);
    pin_is_tried(&daemon);
    let calm = ["-after", "10m"];
    // The workers that wait are there, and so is what the first look at this program takes.
    let Some(mut first) = victim(&program, 300, &calm) else { return };
    daemon.watches(first.pid());
    are_held(&daemon);
    let first_only = Descriptors::settled(daemon.pid());
    let before = first_only.total();
    let settled = |most: usize| Descriptors::at_most(daemon.pid(), most, &first_only);
    let all: Option<Vec<_>> = (301..301 + ALONE).map(|number| victim(&program, number, &calm)).collect();
    let Some(mut all) = all else { return };
    all.iter().for_each(|victim| daemon.watches(victim.pid()));
    // All that a calm process takes is open by then.
    are_held(&daemon);
    let most = before + 6 * ALONE + 2;
    let now = settled(most);
    println!("{before} descriptors, of {ALONE} more {now:?}");
    assert!(now.is_ok(), "{now:?}");
    // Wide enough for all of them not to be in danger, as they begin together: who is takes some more.
    let Some(group) = group(320, Some(TOGETHER as u64 * LIMIT)) else { return };
    let mut many: Vec<Child> = (0..TOGETHER).map(|_| start_in(group.dirs(), &program, &calm)).collect();
    many.iter().for_each(|child| daemon.watches(child.id() as i32));
    are_held(&daemon);
    let together = settled(most + 3 * TOGETHER + 3);
    println!("and of {TOGETHER} in one group {together:?}");
    assert!(together.is_ok(), "{together:?}");
    for child in many.iter_mut().chain(all.iter_mut().map(|v| &mut v.child)).chain([&mut first.child]) {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let gone = settled(before);
    assert!(gone.is_ok(), "with nobody any more: {gone:?}");
    assert!(all.into_iter().chain([first]).all(|v| v.group.remove()) && group.remove());
    daemon.stop();
    forget(&program);
}

/// Waits until the memory of all that it watches is held.
fn are_held(daemon: &Daemon) {
    let held = || daemon.log.status()?["targets"].as_array()?.iter().all(|t| t["pinned"] == true).then_some(());
    assert!(wait_for(held).is_some(), "not all are held: {:?}", daemon.log.status());
}

/// Ended by itself, by SIGTERM and by SIGKILL, at moments from its exec to the kernel's kill: the daemon
/// stays well, keeps nothing of the dead, and captures the next.
#[test]
fn targets_that_end_at_any_moment() {
    let _turn = alone();
    let (program, store) = (program("dies-early"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-early", &[]);
    pin_is_tried(&daemon);
    // One has died, and is captured: what is opened once, for all, is open.
    let dies = ["-after", "500ms", "-rate", "100000000"];
    let Some(first) = victim(&program, 90, &dies) else { return };
    let first = first.wait();
    is_captured_soon(store.path(), first);
    let before = Descriptors::settled(daemon.pid());
    let (mut moments, mut dead) = (Moments(4), vec![first]);
    for round in 0..12 {
        // It would die of memory after half a second.
        let own_end = format!("{}us", moments.below(700_000));
        let fast = ["-after", "50ms", "-rate", "250000000"];
        let itself = victim(&program, 3 * round, &[&fast[..], &["-for", own_end.as_str()]].concat());
        let others = [3 * round + 1, 3 * round + 2].map(|number| victim(&program, number, &fast));
        let Some(mut all) = others.into_iter().chain([itself]).collect::<Option<Vec<_>>>() else { return };
        moments.pause(Duration::from_millis(400));
        signal(&all[0].child, Signal::SIGTERM);
        moments.pause(Duration::from_millis(300));
        signal(&all[1].child, Signal::SIGKILL);
        for victim in &mut all {
            ends(&mut victim.child);
            dead.push(victim.pid());
        }
        assert!(all.into_iter().all(|v| v.group.remove()));
    }
    let Some(last) = victim(&program, 91, &dies) else { return };
    let last = last.wait();
    dead.push(last);
    let kept = Descriptors::at_most(daemon.pid(), before.total() + 2, &before);
    println!("{} descriptors, {kept:?} after {} deaths", before.total(), dead.len());
    assert!(kept.is_ok(), "{kept:?}");
    let of_the_dead = || Descriptors::of(daemon.pid()).lead_to(&dead).is_empty().then_some(());
    assert!(wait_for(of_the_dead).is_some(), "kept of the dead: {}", Descriptors::of(daemon.pid()));
    daemon.stop();
    is_captured(store.path(), last);
    let all = fs::read_dir(store.path()).unwrap().flatten().map(|e| e.path());
    for folder in all.filter(|p| p.join("manifest.json").exists()) {
        let report = Command::new(env!("CARGO_BIN_EXE_lastgasp")).arg("report").arg(&folder).output().unwrap();
        assert!(matches!(report.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&report.stderr));
    }
    forget(&program);
}

/// The number of a watched process that was killed, given to another at once: that one is watched and
/// captured as itself.
#[test]
fn a_process_number_that_comes_again() {
    let _turn = turn();
    let last_pid = Path::new("/proc/sys/kernel/ns_last_pid");
    let (program, store) = (program("dies-again"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-again", &[]);
    for attempt in 0..40 {
        let Some(first) = victim(&program, 100 + attempt, &["-after", "60s"]) else { return };
        let pid = first.pid();
        daemon.watches(pid);
        let Some(group) = group(200 + attempt, Some(LIMIT)) else { return };
        let (mut old, old_group) = (first.child, first.group);
        old.kill().unwrap();
        old.wait().unwrap();
        // Others start processes meanwhile: it does not always succeed.
        if let Err(e) = fs::write(last_pid, (pid - 1).to_string()) {
            return println!("SKIPPED: process numbers cannot be chosen here: {e}");
        }
        let mut child = start_in(group.dirs(), &program, &["-after", "1s", "-rate", "100000000"]);
        assert!(old_group.remove());
        let again = child.id() as i32 == pid;
        if !again {
            child.kill().unwrap();
        }
        assert_eq!(ends(&mut child).signal(), Some(9));
        assert!(group.remove());
        if again {
            daemon.stop();
            // The first was read after its death too, and had not grown: what names a line is of the second,
            // before and after.
            let named = captures(store.path(), pid).into_iter().filter(|(.., verdict)| verdict.contains("main.growA"));
            let phases: BTreeSet<String> = named.map(|(phase, ..)| phase).collect();
            assert_eq!(phases.into_iter().collect::<Vec<_>>(), ["post-kill", "pre-kill"]);
            return forget(&program);
        }
    }
    println!("SKIPPED: the number did not come again in forty tries");
}

/// Killed itself at random moments between a victim's start and the writing of its last capture. Nobody is
/// left stopped, no limit is changed, and the next start with the same store finds nothing half-written.
#[test]
fn the_daemon_killed_at_random_moments() {
    let _turn = turn();
    let (program, store) = (program("dies-alone"), tempfile::tempdir().unwrap());
    let mut moments = Moments(20);
    for round in 0..10 {
        let mut daemon = Daemon::start(store.path(), "dies-alone", &[]);
        for entry in fs::read_dir(store.path()).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(!name.starts_with(".partial"), "round {round}: {name} was not removed");
        }
        all_is_undone(store.path());
        let Some(mut victim) = victim(&program, 300 + round, &["-after", "100ms", "-rate", "200000000"]) else {
            return;
        };
        // It dies after six tenths of a second.
        moments.pause(Duration::from_millis(900));
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
        runs_again(victim.child.id(), Some(&victim.group));
        let limit = fs::read_to_string(limit_file(&victim.group.dirs()[0])).unwrap();
        assert_eq!(limit.trim(), LIMIT.to_string());
        // It goes on, and dies of memory by itself.
        assert_eq!(ends(&mut victim.child).signal(), Some(9));
        assert!(victim.group.remove());
    }
    Daemon::start(store.path(), "dies-alone", &[]).stop();
    // Beside captures stand what is hidden, and the events of the store.
    let whole = |e: &fs::DirEntry| !e.file_name().to_string_lossy().starts_with('.') && e.file_name() != "events";
    for folder in fs::read_dir(store.path()).unwrap().flatten().filter(whole) {
        let report = Command::new(env!("CARGO_BIN_EXE_lastgasp")).arg("report").arg(folder.path()).output().unwrap();
        assert!(matches!(report.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&report.stderr));
    }
    forget(&program);
}

/// Its watchdog killed at random moments of a victim's last second: another one takes its place, nobody is
/// left stopped, and the victim is captured.
#[test]
fn the_watchdog_killed_at_random_moments() {
    let _turn = turn();
    let (program, store) = (program("dies-unguarded"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-unguarded", &[]);
    let mut moments = Moments(21);
    for round in 0..6 {
        let Some(mut victim) = victim(&program, 330 + round, &["-after", "100ms", "-rate", "150000000"]) else {
            return;
        };
        moments.pause(Duration::from_millis(700));
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", daemon.pid())).unwrap();
        for child in children.split_whitespace() {
            let _ = kill(Pid::from_raw(child.parse().unwrap()), Signal::SIGKILL);
        }
        runs_again(victim.child.id(), Some(&victim.group));
        let pid = victim.pid();
        assert_eq!(ends(&mut victim.child).signal(), Some(9));
        assert!(victim.group.remove());
        is_captured_soon(store.path(), pid);
    }
    assert!(!daemon.log.events("watchdog-restarted").is_empty(), "it was never killed");
    daemon.stop();
    forget(&program);
}

/// The daemon and its watchdog killed in one moment, as the end of a container does it, while a victim stands
/// still: nobody is there to let it go but the kernel.
#[test]
fn daemon_and_watchdog_killed_in_one_moment_leave_nobody_stopped() {
    let _turn = turn();
    let (program, store) = (program("dies-in-one"), tempfile::tempdir().unwrap());
    let mut stood = 0;
    for round in 0..12 {
        let mut daemon = Daemon::start(store.path(), "dies-in-one", &[]);
        pin_is_tried(&daemon);
        all_is_undone(store.path());
        let children = || fs::read_to_string(format!("/proc/{0}/task/{0}/children", daemon.pid())).unwrap();
        let is_watchdog =
            |pid: &str| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().ends_with(b"watchdog\0");
        let watchdogs = || children().split_whitespace().filter(|pid| is_watchdog(pid)).map(str::to_owned).next();
        let watchdog = Pid::from_raw(wait_for(watchdogs).expect("it has a watchdog").parse().unwrap());
        // A decoy makes the copy larger, and the stop longer.
        let args = ["-after", "300ms", "-rate", "40000000", "-decoy", "20000000"];
        let Some(mut victim) = victim(&program, 350 + round, &args) else { return };
        let mut seen = false;
        while !seen && victim.child.try_wait().unwrap().is_none() {
            seen = states(victim.child.id()).contains('t');
        }
        let _ = kill(watchdog, Signal::SIGKILL);
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
        runs_again(victim.child.id(), Some(&victim.group));
        assert_eq!(ends(&mut victim.child).signal(), Some(9), "it dies of its own growth");
        assert!(victim.group.remove());
        stood += u32::from(seen);
        if stood == 3 {
            break;
        }
    }
    println!("{stood} stood still as both were killed");
    assert!(stood > 0, "none was seen to stand still");
    Daemon::start(store.path(), "dies-in-one", &[]).stop();
    forget(&program);
}

/// The machine's date set forward and back by two seconds, for a moment each: only clocks that nobody sets
/// decide anything. Not part of every run, since it moves the clock of all others on the machine too.
#[test]
#[ignore = "sets the machine's clock; where that hurts nobody: cargo test -p lastgasp-cli --test watch_bad_days -- --ignored clock"]
fn steps_of_the_clock() {
    use nix::sys::time::TimeSpec;
    use nix::time::{ClockId, clock_gettime, clock_settime};
    let _turn = turn();
    let step = |seconds: i64| {
        let now = clock_gettime(ClockId::CLOCK_REALTIME).unwrap();
        clock_settime(ClockId::CLOCK_REALTIME, now + TimeSpec::new(seconds, 0))
    };
    let (program, store) = (program("dies-timeless"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-timeless", &[]);
    let Some(mut victim) = victim(&program, 340, &["-after", "1s", "-rate", "80000000"]) else { return };
    let pid = victim.pid();
    // In pairs, so that the date is right again after each.
    for seconds in [2, -2].into_iter().cycle() {
        for part in [seconds, -seconds] {
            if let Err(e) = step(part) {
                println!("SKIPPED: the clock cannot be set: {e}");
                victim.child.kill().unwrap();
                ends(&mut victim.child);
                return;
            }
            std::thread::sleep(Duration::from_millis(40));
        }
        if victim.child.try_wait().unwrap().is_some() {
            break;
        }
    }
    assert!(victim.group.remove());
    is_captured_soon(store.path(), pid);
    daemon.stop();
    let phases: Vec<String> = captures(store.path(), pid).into_iter().map(|(phase, ..)| phase).collect();
    assert!(phases.iter().any(|p| p == "pre-kill"), "{phases:?}");
    forget(&program);
}

/// Fifty short lives a second, Go and not, all of them to be looked at: who dies of memory meanwhile is
/// captured.
#[test]
fn a_storm_of_short_lives() {
    let _turn = turn();
    let (program, store) = (program("dies-in-storm"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-in-storm", &[]);
    let over = AtomicBool::new(false);
    let pids = std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let mut lives = 0;
            while !over.load(Ordering::Relaxed) {
                for (command, args) in
                    [("true".as_ref(), &[][..]), (program.as_path(), &["-after", "1ms", "-for", "2ms"])]
                {
                    let mut child = Command::new(command).args(args).stdin(Stdio::null()).spawn().unwrap();
                    child.wait().unwrap();
                    lives += 1;
                }
                std::thread::sleep(Duration::from_millis(30));
            }
            lives
        });
        let pids: Option<Vec<i32>> = (420..424)
            .map(|number| Some(victim(&program, number, &["-after", "1s", "-rate", "150000000"])?.wait()))
            .collect();
        over.store(true, Ordering::Relaxed);
        let lives: i32 = storm.join().unwrap();
        println!("{lives} short lives");
        assert!(pids.is_none() || lives > 100, "{lives}");
        pids
    });
    daemon.stop();
    for pid in pids.unwrap_or_default() {
        is_captured(store.path(), pid);
    }
    forget(&program);
}

/// A group whose owner has switched the OOM killer off: its processes wait at the limit, in the kernel, out
/// of reach. Others are captured meanwhile.
#[test]
fn a_target_that_waits_in_the_kernel() {
    let _turn = turn();
    let (program, store) = (program("dies-waiting"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-waiting", &[]);
    let Some(mut waits) = victim(&program, 430, &["-after", "500ms", "-rate", "100000000"]) else { return };
    if let Err(e) = fs::write(waits.group.dirs()[0].join("memory.oom_control"), "1") {
        waits.child.kill().unwrap();
        ends(&mut waits.child);
        return println!("SKIPPED: the OOM killer cannot be switched off (cgroup v2): {e}");
    }
    assert!(wait_for(|| states(waits.child.id()).contains('D').then_some(())).is_some(), "it does not wait");
    let pid = waits.pid();
    let Some(dies) = victim(&program, 431, &["-after", "1s", "-rate", "100000000"]) else { return };
    let other = dies.wait();
    assert!(
        wait_for(|| (!folders(store.path(), pid).is_empty()).then_some(())).is_some(),
        "nothing of the one that waits"
    );
    assert!(states(waits.child.id()).contains('D'), "undisturbed");
    waits.child.kill().unwrap();
    assert_eq!(ends(&mut waits.child).signal(), Some(9));
    assert!(waits.group.remove());
    daemon.stop();
    is_captured(store.path(), other);
    assert!(captures(store.path(), pid).iter().any(|(phase, ..)| phase == "pre-kill"));
    forget(&program);
}

/// Traced by somebody else, so that nobody else can stop it: it is captured, with the gap named, and the
/// tracer sees its target to the end.
#[test]
fn targets_of_another_tracer() {
    let _turn = turn();
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return println!("SKIPPED: there is no strace");
    }
    let (program, store) = (program("dies-traced"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-traced", &[]);
    for number in [440, 441] {
        let Some(group) = group(number, Some(LIMIT)) else { return };
        let mut child = start_in(group.dirs(), &program, &["-after", "2s", "-rate", "50000000"]);
        let pid = child.id() as i32;
        daemon.watches(pid);
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut tracer = Command::new("strace")
            .args(["-f", "-e", "trace=exit_group", "-p", &pid.to_string(), "-o"])
            .arg(log.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let traced =
            || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default().contains("TracerPid:\t0\n");
        assert!(wait_for(|| (!traced()).then_some(())).is_some(), "strace does not trace it");
        assert_eq!(ends(&mut child).signal(), Some(9));
        ends(&mut tracer);
        let seen = fs::read_to_string(log.path()).unwrap();
        assert!(seen.contains("killed by SIGKILL"), "{seen}");
        assert!(group.remove());
        is_captured_soon(store.path(), pid);
        let before = |p: &PathBuf| watching::json(&p.join("manifest.json"))["phase"] == "pre-kill";
        let before = folders(store.path(), pid).into_iter().find(before).unwrap();
        let gaps = watching::json(&before.join("manifest.json"))["gaps"].to_string();
        assert!(gaps.contains("a debugger is attached"), "{gaps}");
    }
    daemon.stop();
    forget(&program);
}

fn is_captured_soon(store: &Path, pid: i32) {
    let after = |p: &PathBuf| watching::json(&p.join("manifest.json"))["phase"] == "post-kill";
    assert!(
        wait_for(|| folders(store, pid).iter().any(after).then_some(())).is_some(),
        "process {pid} is not captured"
    );
    is_captured(store, pid);
}

/// Threads are born and die all the time while it is stopped and copied again and again: it is never left
/// stopped, and goes on starting them.
#[test]
fn threads_that_start_while_it_is_stopped() {
    let _turn = turn();
    let (program, store) = (program("dies-thr"), tempfile::tempdir().unwrap());
    // Twenty captures take two seconds, or twenty on a busy machine: it lives as long as they do.
    let Some(mut victim) = victim(&program, 460, &["-after", "10m", "-churn", "4"]) else { return };
    let pid = victim.child.id();
    // Its runtime has to be there, and its threads.
    let started = || (states(pid).len() > 4).then_some(());
    assert!(wait_for(started).is_some(), "it starts no threads: {}", states(pid));
    for round in 0..20 {
        let capture = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
            .args(["capture", &pid.to_string(), "--out"])
            .arg(store.path())
            .env("LASTGASP_CACHE_DIR", "")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&capture.stderr);
        let busy = said.contains("in time") || said.contains("ran on before the end");
        assert!(capture.status.success() || busy, "round {round}: {said}");
        runs_again(pid, Some(&victim.group));
    }
    victim.child.kill().unwrap();
    victim.wait();
    // And one by the daemon at its end.
    let daemon = Daemon::start(store.path(), "dies-thr", &[]);
    let args = ["-after", "2s", "-rate", "100000000", "-churn", "4"];
    let Some(dies) = self::victim(&program, 461, &args) else { return };
    let pid = dies.wait();
    daemon.stop();
    assert!(captures(store.path(), pid).iter().any(|(phase, ..)| phase == "post-kill"));
    forget(&program);
}

/// Processor time of a process, in seconds.
fn spent(pid: i32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Stopped, as by a debugger or a signal, while it holds memory: the threads that hold cannot leave the
/// kernel for that, and turned there without sleep until the watchdog let them out. Afterwards they hold on,
/// and the next kill is captured.
#[test]
fn the_daemon_stopped_while_it_holds_memory() {
    let _turn = turn();
    let (program, store) = (program("dies-held"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-held", &[]);
    pin_is_tried(&daemon);
    let Some(victim) = victim(&program, 600, &["-after", "12s", "-rate", "200000000"]) else { return };
    daemon.watches(victim.pid());
    are_held(&daemon);
    std::thread::sleep(Duration::from_millis(500));
    signal(&daemon.child, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(5500));
    let before = spent(daemon.pid());
    std::thread::sleep(Duration::from_secs(1));
    let (used, stand) = (spent(daemon.pid()) - before, states(daemon.pid() as u32));
    signal(&daemon.child, Signal::SIGCONT);
    assert!(used < 0.1 && stand.chars().all(|s| s == 'T'), "{used} s in a second; threads: {stand}");
    let pid = victim.wait();
    daemon.stop();
    is_captured(store.path(), pid);
    forget(&program);
}
