//! What any user of a machine may run under the daemon's eyes: files that lie about their own sizes, and
//! names that are no text. It costs the daemon a bounded amount, and nobody else a capture.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::lying_files::{HOLE, MIB, Row, executable, sparse};
use lastgasp_lab::toolchain;
use watching::{Daemon, alone, captures, forget, group, is_captured, program, start_in, turn, victim, wait_for};

mod watching;

/// A Go program whose symbol table is a hole of 250 MiB, and so are its strings.
fn of_go(path: &Path) {
    let toolchain = toolchain::any(&cache_dir()).unwrap();
    let built = build(&toolchain, Mode::Plain, &repo_root().join("lab/programs/dies"), ".").unwrap();
    let mut bytes = fs::read(built).unwrap();
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()) as usize;
    let (table, count) = (word(&bytes, 40) as usize, half(60));
    let (hole, mut patched) = (bytes.len() as u64 / MIB * MIB + MIB, 0);
    for row in (0..count).map(|i| table + i * 64) {
        // SHT_SYMTAB, and the string table that it names.
        if bytes[row + 4] == 2 {
            let strings = table + bytes[row + 40] as usize * 64;
            for row in [row, strings] {
                bytes[row + 24..row + 32].copy_from_slice(&hole.to_le_bytes());
                bytes[row + 32..row + 40].copy_from_slice(&(250 * MIB).to_le_bytes());
                patched += 1;
            }
        }
    }
    assert_eq!(patched, 2);
    sparse(path, &bytes, &[], hole + 250 * MIB).unwrap();
}

fn memory(pid: i32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

/// Each states a table that would take a quarter of a gigabyte, or gigabytes: half of the smallest would be
/// seen in the daemon.
#[test]
fn files_that_lie_about_their_sizes_end_no_daemon() {
    let _turn = alone();
    let (service, store) = ("hostile-files", tempfile::tempdir().unwrap());
    let real = program(service);
    let folder = real.parent().unwrap();
    let path = |n: usize| folder.join(n.to_string()).join(service);
    let huge = 250 * MIB;
    let build_info = [b"\xff Go buildinf:\x08\x02".as_slice(), &[0; 16], b"\x08go1.22.5\x00"].concat();
    let one = |n: usize, row: Row| sparse(&path(n), &executable(&[row], None), &[], row.2 + row.3).unwrap();
    one(0, (".symtab", 2, HOLE, huge));
    one(1, (".dynsym", 11, HOLE, huge));
    one(2, (".note", 7, HOLE, huge));
    one(3, (".symtab", 2, HOLE, 100 << 30));
    let rows = [(".go.buildinfo", 1, HOLE, huge), (".symtab", 2, HOLE, huge), (".strtab", 3, HOLE, huge)];
    sparse(&path(4), &executable(&rows, None), &[(HOLE, &build_info)], HOLE + huge).unwrap();
    let rows = [(".go.buildinfo", 1, HOLE, huge), (".gopclntab", 1, HOLE, huge), (".symtab", 2, HOLE, huge)];
    sparse(&path(5), &executable(&rows, None), &[(HOLE, &build_info)], HOLE + huge).unwrap();
    // Four million sections.
    sparse(&path(6), &executable(&[], Some(4 << 20)), &[], HOLE + huge).unwrap();
    of_go(&path(7));

    let daemon = Daemon::start(store.path(), service, &[]);
    let before = memory(daemon.pid(), "VmHWM");
    let start = |n: usize| Command::new(path(n)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut all = Ended((0..8).map(start).collect());
    let all = &mut all.0;
    // It has looked at them all when it watches who came after them: two threads look, in the order of
    // coming.
    let Some(victim) = victim(&real, 500, &["-after", "3s", "-rate", "100000000"]) else { return };
    daemon.watches(victim.pid());
    daemon.watches(all[7].id() as i32);
    for child in &mut *all {
        assert!(child.try_wait().unwrap().is_none(), "it cannot be run: nothing was tried");
    }
    let pid = victim.wait();
    let most = memory(daemon.pid(), "VmHWM");
    println!("{} MB at most, {} before", most >> 20, before >> 20);
    assert!(most < 128 * MIB, "{} MB, {} before", most >> 20, before >> 20);
    for child in &mut *all {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    daemon.stop();
    is_captured(store.path(), pid);
    forget(&real);
}

/// Paths that are no UTF-8, a name that is cut within a character, names as long as a name can be: each is
/// watched and captured, before its end and after.
#[test]
fn names_that_are_no_text_lose_no_capture() {
    let _turn = turn();
    let store = tempfile::tempdir().unwrap();
    let real = program("hostile-names");
    let names: [Vec<u8>; 3] = [
        b"hostile-\xff\xfe-\x80names".to_vec(),
        // The kernel keeps 15 bytes of it: five characters would be whole, of the sixth there is a part.
        format!("hostile-{}", "\u{65e5}\u{672c}".repeat(20)).into_bytes(),
        [b"hostile-".as_slice(), &[b'x'; 247]].concat(),
    ];
    let daemon = Daemon::start(store.path(), "hostile-*", &[]);
    let mut pids = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let folder: PathBuf = real.parent().unwrap().join(OsStr::from_bytes(b"no \xfftext\nat all"));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join(OsStr::from_bytes(name));
        fs::copy(&real, &program).unwrap();
        let Some(group) = group(510 + i, Some(watching::LIMIT)) else { return };
        let child = start_in(group.dirs(), &program, &["-after", "1500ms", "-rate", "100000000"]);
        pids.push(watching::Victim { group, child });
    }
    let pids: Vec<i32> = pids.into_iter().map(watching::Victim::wait).collect();
    let written = || pids.iter().all(|pid| captures(store.path(), *pid).len() > 1).then_some(());
    assert!(wait_for(written).is_some(), "{:?}", pids.iter().map(|p| captures(store.path(), *p)).collect::<Vec<_>>());
    daemon.stop();
    for pid in pids {
        is_captured(store.path(), pid);
    }
    forget(&real);
}

/// Children that end with the test, whatever becomes of it: another round would find them.
struct Ended(Vec<Child>);

impl Drop for Ended {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// With descriptors for some processes and one more that starts: it is said, counted, and that one is watched
/// when there is room for it, and no "no Go program" for ever.
#[test]
fn descriptors_that_run_out_blind_nobody_for_ever() {
    let _turn = alone();
    let (service, store) = ("hostile-many", tempfile::tempdir().unwrap());
    let real = program(service);
    let mut command = Command::new("prlimit");
    command.arg("--nofile=80:80").arg(env!("CARGO_BIN_EXE_lastgasp"));
    let daemon = Daemon::start_by(command, store.path(), service, "[pin]\ntrial = false\n", &[]);
    let start = || Command::new(&real).args(["-after", "10m"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let put_off = || daemon.log.status()?["counters"]["put_off"].as_u64().filter(|n| *n > 0);
    let watched = |child: &Child| daemon.log.has("watched", child.id() as i32);
    let mut all = Ended(Vec::new());
    let all = &mut all.0;
    let said = || (!daemon.log.events("out-of-descriptors").is_empty()).then_some(());
    while all.len() < 24 && all.last().is_none_or(watched) {
        all.push(start().unwrap());
        // On a busy machine neither is at once.
        let known = || (all.last().is_none_or(watched) || said().is_some()).then_some(());
        assert!(wait_for(known).is_some(), "neither watched nor put off:\n{}", daemon.log());
        // It may have been said of somebody else's.
        if said().is_some() && !all.last().is_none_or(watched) {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
    assert!(wait_for(said).is_some(), "{} processes are no load\n{}", all.len(), daemon.log());
    let (unlucky, lucky) = all.split_last_mut().unwrap();
    assert!(!watched(unlucky));
    for child in &mut *lucky {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    daemon.watches(unlucky.id() as i32);
    let counted = wait_for(put_off);
    println!("{} processes; put off {counted:?} times", lucky.len() + 1);
    assert!(counted.is_some());
    unlucky.kill().unwrap();
    unlucky.wait().unwrap();
    daemon.stop();
    forget(&real);
}
