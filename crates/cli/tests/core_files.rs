//! A live process, core files of it (by gdb's `gcore` and by the kernel), and captures of those cores: the
//! same JSON, byte for byte, but for what only a live process has. On three Go minors, stripped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

fn lastgasp(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(args).output().unwrap()
}

/// A report without the fields that only a live process has, and those that say how and when it was taken
/// (docs/formats/report-json.md, "Core files").
fn report(subject: &Path) -> String {
    let ask = || lastgasp(&["report", "--format", "json", subject.to_str().unwrap()]);
    // On a busy machine a thread may not stop in time, which a live report says with exit code 3.
    let out = (0..5).map(|_| ask()).find(|out| out.status.code() == Some(0)).unwrap_or_else(|| {
        let out = ask();
        panic!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
    });
    let mut v: Value = serde_json::from_slice(&out.stdout).unwrap();
    for (part, fields) in [
        ("capture", &["id", "path", "phase", "stopped_ns", "taken_at"] as &[&str]),
        ("provenance", &["bytes_copied", "kernel"]),
        ("target", &["age_seconds", "cgroup", "container", "limit_bytes", "limit_source", "started_at"]),
    ] {
        for field in fields {
            v[part].as_object_mut().unwrap().remove(*field);
        }
    }
    for part in ["graph", "memory", "neighbours", "timeline"] {
        v.as_object_mut().unwrap().remove(part);
    }
    // A core has a graph, and what stands on it.
    const OF_THE_GRAPH: [&str; 6] = [
        "collection-jumped",
        "collection-only-grows",
        "copies-of-one-content",
        "map-too-big",
        "one-root-holds-most",
        "slice-retention",
    ];
    // So have verdicts on goroutines, which are findings too.
    let goroutines = v["goroutines"].as_object_mut().unwrap();
    let groups = goroutines.remove("verdict_groups").unwrap_or_default();
    for part in ["tiers", "verdicts", "wait_for", "no_proof"] {
        goroutines.remove(part);
    }
    let groups = groups.as_array().cloned().unwrap_or_default();
    let of_goroutines: Vec<&str> = groups.iter().filter_map(|g| g["code"].as_str()).collect();
    v["findings"].as_array_mut().unwrap().retain(|f| {
        let code = f["code"].as_str().unwrap();
        !OF_THE_GRAPH.contains(&code) && !of_goroutines.contains(&code)
    });
    if v["findings"].as_array().unwrap().is_empty() {
        // One of these is the verdict where nothing else was found.
        v.as_object_mut().unwrap().remove("verdict");
    }
    let of_both = |u: &Value| !["the RSS", "what keeps the memory"].iter().any(|s| u.as_str().unwrap().starts_with(s));
    v["unknown"].as_array_mut().unwrap().retain(of_both);
    serde_json::to_string_pretty(&v).unwrap()
}

fn oracle(minor: u16) -> Option<Oracle> {
    let toolchain = match find_or_fetch(minor, &cache_dir()) {
        Ok(t) => t,
        Err(e) => {
            eprintln!("SKIPPED: {e:#}");
            return None;
        }
    };
    Some(Oracle::start_still(&Oracle::build(&toolchain, Mode::Stripped).unwrap()).unwrap())
}

/// The core that the kernel writes at SIGABRT; `None`, said loudly, where this machine sends cores elsewhere.
fn kernel_core(oracle: &mut Oracle) -> Option<PathBuf> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with('|') || pattern.starts_with('/') {
        eprintln!("SKIPPED: the kernel sends core files elsewhere (core_pattern is {})", pattern.trim());
        return None;
    }
    kill(Pid::from_raw(oracle.pid()), Signal::SIGABRT).unwrap();
    let status = oracle.wait().unwrap();
    let mut entries = fs::read_dir(oracle.dir()).unwrap().flatten().map(|e| e.path());
    let core = entries.find(|p| p.file_name().unwrap().to_string_lossy().starts_with("core"));
    assert!(core.is_some(), "no core in {}: {status}", oracle.dir().display());
    core
}

fn gcore(oracle: &Oracle) -> Option<PathBuf> {
    let out = Command::new("gcore").arg("-o").arg(oracle.dir().join("gcore")).arg(oracle.pid().to_string()).output();
    match out {
        Ok(out) if out.status.success() => Some(oracle.dir().join(format!("gcore.{}", oracle.pid()))),
        Ok(out) => panic!("gcore: {}", String::from_utf8_lossy(&out.stderr)),
        Err(e) => {
            eprintln!("SKIPPED: gcore (of gdb): {e}");
            None
        }
    }
}

/// One at a time: gcore writes more than a gigabyte, reserved address space included.
static DISK: Mutex<()> = Mutex::new(());

fn live_core_and_capture_say_the_same(minor: u16) {
    let _turn = DISK.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut oracle) = oracle(minor) else { return };
    let live = alive(&oracle);
    for core in [gcore(&oracle), kernel_core(&mut oracle)].iter().flatten() {
        same(core, &live);
    }
}

fn alive(oracle: &Oracle) -> String {
    // Until its main goroutine has come to rest, two looks are not alike.
    let look = || report(Path::new(&oracle.pid().to_string()));
    let mut live = look();
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(100));
        let again = look();
        if again == live {
            break;
        }
        live = again;
    }
    assert!(live.contains("main.plantNodes") && live.contains("main.park.func1"), "{live}");
    live
}

/// A core says what the live process said, and so does the capture of the core.
fn same(core: &Path, live: &str) {
    equal(core, &report(core), live);
    let store = core.with_file_name("captures");
    let out = lastgasp(&["capture", core.to_str().unwrap(), "--out", store.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let capture = String::from_utf8(out.stdout).unwrap();
    equal(Path::new(capture.trim()), &report(Path::new(capture.trim())), live);
}

/// As `assert_eq`, naming the lines that differ.
fn equal(what: &Path, got: &str, live: &str) {
    let differ: Vec<_> = got.lines().zip(live.lines()).filter(|(a, b)| a != b).take(9).collect();
    assert!(got == live, "{}: {differ:#?}", what.display());
}

#[test]
fn go1_22() {
    live_core_and_capture_say_the_same(22);
}

#[test]
fn go1_24() {
    live_core_and_capture_say_the_same(24);
}

#[test]
fn go1_27() {
    live_core_and_capture_say_the_same(27);
}

/// Each bad core has its own message, with the cure.
#[test]
fn bad_cores_are_named() {
    let _turn = DISK.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(toolchain) = find_or_fetch(24, &cache_dir()) else { return eprintln!("SKIPPED: no Go 1.24") };
    // A binary of its own: it is moved about.
    let bin = tempfile::tempdir().unwrap();
    let exe = bin.path().join("service");
    fs::copy(Oracle::build(&toolchain, Mode::Stripped).unwrap(), &exe).unwrap();
    let mut oracle = Oracle::start_still(&exe).unwrap();
    let Some(core) = kernel_core(&mut oracle) else { return };
    let at = |name: &str| oracle.dir().join(name);
    let fails = |args: &[&str]| {
        let out = lastgasp(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", String::from_utf8_lossy(&out.stdout));
        String::from_utf8(out.stderr).unwrap()
    };
    let core_arg = core.to_str().unwrap();

    // The executable is gone: named, and the cure.
    let moved = bin.path().join("moved-elsewhere");
    fs::rename(&exe, &moved).unwrap();
    let said = fails(&["report", core_arg]);
    let given = lastgasp(&["report", core_arg, "--exe", moved.to_str().unwrap()]);
    // Beside the core it is found by its name.
    let beside = at(exe.file_name().unwrap().to_str().unwrap());
    fs::copy(&moved, &beside).unwrap();
    let found = lastgasp(&["report", core_arg]);
    // Another build of the same name is not taken for it.
    fs::copy(env!("CARGO_BIN_EXE_lastgasp"), &beside).unwrap();
    let other = fails(&["report", core_arg]);
    fs::copy(&moved, &exe).unwrap();
    assert!(said.contains("no executable for it") && said.contains("--exe"), "{said}");
    assert_eq!(given.status.code(), Some(0), "{}", String::from_utf8_lossy(&given.stderr));
    assert_eq!(found.status.code(), Some(0), "{}", String::from_utf8_lossy(&found.stderr));
    assert!(other.contains("another build") || other.contains("no executable"), "{other}");
    let plain = Oracle::build(&toolchain, Mode::Plain).unwrap();
    for wrong in [env!("CARGO_BIN_EXE_lastgasp"), plain.to_str().unwrap()] {
        let said = fails(&["report", core_arg, "--exe", wrong]);
        assert!(said.contains("not the executable of"), "{said}");
    }

    // Cut short: read as far as it goes, with a gap, or refused with the reason.
    let len = fs::metadata(&core).unwrap().len();
    for keep in [len - 4096, len / 2, len / 50, 4096, 64] {
        let (code, said) = report_of_cut(&core, keep, &[]);
        assert!(matches!(code, Some(2 | 3)), "{keep}: {said}");
        assert!(
            said.contains("cut short") || said.contains("ELF") || said.contains("no memory"),
            "{keep} of {len}: {said}"
        );
    }
    let said = fails(&["report", exe.to_str().unwrap()]);
    assert!(said.contains("not a 64-bit little-endian ELF core"), "{said}");
}

/// The report of a core of which `keep` bytes are left. The core itself is cut, always shorter: a second
/// gigabyte of a copy is what a small disk has no room for.
fn report_of_cut(core: &Path, keep: u64, more: &[&str]) -> (Option<i32>, String) {
    let file = fs::OpenOptions::new().write(true).open(core).unwrap();
    assert!(keep < file.metadata().unwrap().len(), "{keep}: nothing is cut");
    file.set_len(keep).unwrap();
    let out = lastgasp(&[&["report", core.to_str().unwrap()], more].concat());
    (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}

/// gcore writes section headers behind the memory: a core without its last page has none, and is read all the
/// same.
#[test]
fn a_gcore_core_that_was_cut_short_is_read_as_far_as_it_goes() {
    let _turn = DISK.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(oracle) = oracle(24) else { return };
    let Some(core) = gcore(&oracle) else { return };
    let len = fs::metadata(&core).unwrap().len();
    // Nothing but section headers is gone.
    let (code, said) = report_of_cut(&core, len - 64, &[]);
    assert!(matches!(code, Some(0 | 3)) && said.contains("main.plantNodes"), "{said}");
    // The notes stand behind the memory too, and name the executable.
    let exe = fs::read_link(format!("/proc/{}/exe", oracle.pid())).unwrap();
    // Tests beside this one may have built the same file anew.
    let exe = exe.to_str().unwrap().trim_end_matches(" (deleted)");
    let (code, said) = report_of_cut(&core, len - (64 << 10), &["--exe", exe]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("cut short") && said.contains("main.plantNodes"), "{said}");
}

/// `coredump_filter` without anonymous memory: nothing to read, and the message says which bit.
#[test]
fn a_core_without_private_memory_is_refused_with_the_cure() {
    let Some(mut oracle) = oracle(24) else { return };
    fs::write(format!("/proc/{}/coredump_filter", oracle.pid()), "0x10").unwrap();
    let Some(core) = kernel_core(&mut oracle) else { return };
    let out = lastgasp(&["report", core.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2));
    assert!(said.contains("coredump_filter"), "{said}");
}
