//! Captures with `--keep-memory`: decoded again to the same document, byte for byte, when the process and its
//! executable are gone; opened by gdb; and never a reason to lose a report. On two Go minors, stripped and
//! position independent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use serde_json::Value;

fn lastgasp(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The report of a subject as JSON, as it is printed.
fn report(subject: &Path) -> String {
    let out = lastgasp(&["report", "--format", "json", subject.to_str().unwrap()]);
    assert!(matches!(out.status.code(), Some(0 | 3)), "{}{}", text(&out.stdout), text(&out.stderr));
    text(&out.stdout)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A report without what says where it was read from and what was missing.
fn without_place_and_gaps(text: &str) -> Value {
    let mut v = json(text);
    for field in ["id", "path", "gaps", "complete"] {
        v["capture"].as_object_mut().unwrap().remove(field);
    }
    for field in ["gaps", "missing", "unknown"] {
        v.as_object_mut().unwrap().remove(field);
    }
    v
}

fn equal(what: &str, got: &str, want: &str) {
    let differ: Vec<_> = got.lines().zip(want.lines()).filter(|(a, b)| a != b).take(9).collect();
    assert!(got == want, "{what}: {differ:#?}");
}

/// The oracle, with an executable of its own, which can be taken away.
struct Subject {
    oracle: Oracle,
    exe: PathBuf,
    dir: tempfile::TempDir,
}

fn start(minor: u16, mode: Mode) -> Option<Subject> {
    let toolchain = match find_or_fetch(minor, &cache_dir()) {
        Ok(t) => t,
        Err(e) => {
            eprintln!("SKIPPED: {e:#}");
            return None;
        }
    };
    let dir = tempfile::tempdir().unwrap();
    let exe = dir.path().join("service");
    fs::copy(Oracle::build(&toolchain, mode).unwrap(), &exe).unwrap();
    let oracle = Oracle::start_still(&exe).unwrap();
    Some(Subject { oracle, exe, dir })
}

/// Captures it, and gives the folder.
fn capture(subject: &str, store: &Path, more: &[&str]) -> PathBuf {
    let out = lastgasp(&[&["capture", subject, "--keep-memory", "--out", store.to_str().unwrap()], more].concat());
    assert!(matches!(out.status.code(), Some(0 | 3)), "{}{}", text(&out.stdout), text(&out.stderr));
    PathBuf::from(text(&out.stdout).trim().lines().last().unwrap())
}

/// A copy of a capture whose memory is damaged, or gone.
fn spoilt(folder: &Path, spoil: impl Fn(&Path)) -> PathBuf {
    // In a folder of its own, under its own name: it is no sibling of what it is a copy of.
    let copy = folder.parent().unwrap().join("spoilt").join(folder.file_name().unwrap());
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir_all(&copy).unwrap();
    for file in fs::read_dir(folder).unwrap().flatten() {
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    spoil(&copy.join("memory.core"));
    copy
}

fn a_capture_is_decoded_again(minor: u16, mode: Mode) {
    let Some(Subject { oracle, exe, dir }) = start(minor, mode) else { return };
    let store = dir.path().join("captures");
    let folder = capture(&oracle.pid().to_string(), &store, &[]);
    let core = folder.join("memory.core");
    let meta = fs::metadata(&core).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);

    let again = report(&folder);
    assert!(again.contains("main.plantNodes") && again.contains("main.park.func1"), "{again}");
    // What was found at the time, and all that was known at the time.
    let findings = json(&fs::read_to_string(folder.join("findings.json")).unwrap());
    for part in ["verdict", "findings", "not_it"] {
        assert_eq!(json(&again)[part], findings[part], "{part}");
    }
    let gone = spoilt(&folder, |core| fs::remove_file(core).unwrap());
    let of_facts = report(&gone);
    assert!(of_facts.contains("memory.core"), "that it is gone is said: {of_facts}");
    let (a, b) = (without_place_and_gaps(&again), without_place_and_gaps(&of_facts));
    equal("facts", &serde_json::to_string_pretty(&a).unwrap(), &serde_json::to_string_pretty(&b).unwrap());

    gdb_reads_what_the_program_told(&oracle, &core);

    // A deploy has replaced the executable, and the process is gone.
    fs::remove_file(&exe).unwrap();
    equal("without the executable", &report(&folder), &again);
    drop(oracle);
    equal("without the process", &report(&folder), &again);
    let (a, b) = (without_place_and_gaps(&again), without_place_and_gaps(&report(&core)));
    equal("memory.core itself", &serde_json::to_string_pretty(&a).unwrap(), &serde_json::to_string_pretty(&b).unwrap());

    // Damage is a gap, and the facts are still there.
    let len = meta.len();
    let cut = |core: &Path| fs::File::options().write(true).open(core).unwrap().set_len(len / 2).unwrap();
    // Its description, which decides how all else is read.
    let bytes = fs::read(&core).unwrap();
    let described = bytes.windows(14).rposition(|w| w == b"lastgasp.raw/1").unwrap() as u64;
    let flip = |core: &Path| {
        fs::File::options().write(true).open(core).unwrap().write_all_at(b"?", described + 100).unwrap();
    };
    let other = |core: &Path| fs::write(core, "no core at all").unwrap();
    let spoils: [&dyn Fn(&Path); 3] = [&cut, &flip, &other];
    for (i, spoil) in spoils.into_iter().enumerate() {
        let folder = spoilt(&folder, spoil);
        let said = report(&folder);
        assert!(said.contains("memory.core") && said.contains("this is what was decoded"), "{i}: {said}");
        assert_eq!(without_place_and_gaps(&said), without_place_and_gaps(&of_facts), "{i}");
        let out = lastgasp(&["report", folder.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(3), "{i}: a gap");
    }
}

/// Words of the heap and of a package variable, at the addresses that the program has told.
fn gdb_reads_what_the_program_told(oracle: &Oracle, core: &Path) {
    let truth = json(&text(&oracle.truth().unwrap()));
    for (at, word) in [("HeapAt", "HeapWord"), ("DataAt", "DataWord")] {
        let (at, word) = (truth[at].as_u64().unwrap(), truth[word].as_u64().unwrap());
        let mut gdb = Command::new("gdb");
        gdb.args(["-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex"]);
        gdb.arg(format!("core-file {}", core.display())).args(["-ex", "info threads", "-ex"]);
        let out = match gdb.arg(format!("x/1gx {at:#x}")).output() {
            Ok(out) => text(&out.stdout) + &text(&out.stderr),
            Err(e) => return eprintln!("SKIPPED: gdb: {e}"),
        };
        assert!(out.contains(&format!("{word:#018x}")), "{at:#x} {word:#x}: {out}");
        assert!(out.contains(&format!("LWP {}", oracle.pid())), "{out}");
    }
}

#[test]
fn go1_22_stripped() {
    a_capture_is_decoded_again(22, Mode::Stripped);
}

#[test]
fn go1_26_pie() {
    a_capture_is_decoded_again(26, Mode::Pie);
}

/// A bound that is too small for all of it: what makes it decodable is kept, and the gap is named.
#[test]
fn memory_over_the_bound_is_a_gap() {
    let Some(Subject { oracle, dir, .. }) = start(26, Mode::Stripped) else { return };
    let store = dir.path().join("captures");
    let args = ["capture", "--keep-memory", "--keep-memory-max", "16M", "--out", store.to_str().unwrap()];
    let out = lastgasp(&[&args[..], &[&oracle.pid().to_string()]].concat());
    assert_eq!(out.status.code(), Some(3), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("over the bound for memory.core"), "{}", text(&out.stderr));
    let folder = PathBuf::from(text(&out.stdout).trim());
    use std::os::unix::fs::MetadataExt as _;
    assert!(fs::metadata(folder.join("memory.core")).unwrap().blocks() * 512 < 24 << 20);
    assert!(report(&folder).contains("main.plantNodes"));
    // Not even the evidence has room: there is none, and a capture all the same.
    let args = ["capture", "--keep-memory", "--keep-memory-max", "4K", "--out", store.to_str().unwrap()];
    let out = lastgasp(&[&args[..], &[&oracle.pid().to_string()]].concat());
    assert_eq!(out.status.code(), Some(3), "{}", text(&out.stderr));
    let folder = PathBuf::from(text(&out.stdout).trim());
    assert!(!folder.join("memory.core").exists());
    assert!(report(&folder).contains("main.plantNodes"));
}

/// Killed for memory: the whole of it is kept while the dead process is held, and decoded again.
#[test]
fn the_memory_of_the_dead_is_kept() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root to make a cgroup");
    }
    let Ok(toolchain) = find_or_fetch(26, &cache_dir()) else { return eprintln!("SKIPPED: no Go 1.26") };
    let program = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs/dies"), ".").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let exe = dir.path().join("dies");
    fs::copy(program, &exe).unwrap();
    let store = dir.path().join("captures");
    let args = ["run", "--memory-max", "120M", "--keep-memory", "--store", store.to_str().unwrap(), "--"];
    let out = lastgasp(&[&args[..], &[exe.to_str().unwrap(), "-rate", "1e8"]].concat());
    let said = text(&out.stdout) + &text(&out.stderr);
    fs::remove_file(&exe).unwrap();
    let captures: Vec<PathBuf> = fs::read_dir(&store)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join("manifest.json").exists())
        .collect();
    let Some(dead) = captures.iter().find(|p| p.to_string_lossy().contains("post-kill")) else {
        // Where the kernel lets nobody hold the memory of the dead (userfaultfd), there is the copy before
        // the kill alone.
        assert!(said.contains("pin") || said.contains("armed"), "{said}");
        return eprintln!("SKIPPED: no memory after a kill here: {said}");
    };
    let core = dead.join("memory.core");
    use std::os::unix::fs::MetadataExt as _;
    let on_disk = fs::metadata(&core).unwrap().blocks() * 512;
    // What was copied by the time the kernel took it away; on a quiet machine all of some hundred megabytes.
    // Its pages hold a byte that is not zero.
    assert!(on_disk > 8 << 20, "{on_disk}: {said}");
    let as_written = |capture: &Path| {
        let again = report(capture);
        assert!(again.contains("main.growA"), "{again}");
        let findings = json(&fs::read_to_string(capture.join("findings.json")).unwrap());
        for part in ["verdict", "findings", "not_it"] {
            assert_eq!(json(&again)[part], findings[part], "{part} of {}", capture.display());
        }
    };
    // It tells the death by all its captures; those from before it were written when nobody knew of that.
    as_written(dead);
    for stored in captures.iter().filter(|p| p.join("memory.core").exists()) {
        let name = stored.file_name().unwrap();
        let capture = &dir.path().join("alone").join(name).join(name);
        fs::create_dir_all(capture.parent().unwrap()).unwrap();
        fs::rename(stored, capture).unwrap();
        if stored != dead {
            as_written(capture);
        }
        let again = report(capture);
        let gone = spoilt(capture, |core| fs::remove_file(core).unwrap());
        let (a, b) = (without_place_and_gaps(&again), without_place_and_gaps(&report(&gone)));
        equal("facts", &serde_json::to_string_pretty(&a).unwrap(), &serde_json::to_string_pretty(&b).unwrap());
        fs::remove_dir_all(gone).unwrap();
    }
}

/// An array of which most pages were never touched is kept with them, as zeros that take no room: without
/// them its graph would lack what it points to, and was not made.
#[test]
fn what_was_never_touched_is_zeros() {
    for (minor, mode) in [(26, Mode::Stripped), (22, Mode::Plain)] {
        let Ok(toolchain) = find_or_fetch(minor, &cache_dir()) else { return eprintln!("SKIPPED: no Go 1.{minor}") };
        let args = ["truth.json", "sparse"];
        let typed = Oracle::start_program_with(&toolchain, mode, "lab/programs/typed", &args, "").unwrap();
        let store = tempfile::tempdir().unwrap();
        let folder = capture(&typed.pid().to_string(), store.path(), &["--heap", "--max-stop", "10s"]);
        let (live, kept) = (json(&report(&folder)), json(&report(&folder.join("memory.core"))));
        assert!(kept["graph"].is_object(), "{:#}", kept["capture"]["gaps"]);
        for field in ["objects", "live_bytes", "garbage_objects", "garbage_bytes"] {
            assert_eq!(kept["graph"][field], live["graph"][field], "{field}");
        }
        assert!(kept["graph"]["live_bytes"].as_u64().unwrap() > 32 << 20);
        assert_eq!(kept["graph"]["roots_not_read"], Value::Array(Vec::new()));
    }
}

/// Without the flag nothing of it is kept, as ever.
#[test]
fn nothing_is_kept_unasked() {
    let Some(Subject { oracle, dir, .. }) = start(26, Mode::Stripped) else { return };
    let store = dir.path().join("captures");
    let out = lastgasp(&["capture", &oracle.pid().to_string(), "--out", store.to_str().unwrap()]);
    let folder = PathBuf::from(text(&out.stdout).trim());
    assert!(folder.join("facts.json.gz").exists() && !folder.join("memory.core").exists());
}

/// A core file's capture keeps its memory too.
#[test]
fn a_core_files_memory_is_kept() {
    let Some(Subject { oracle, exe, dir }) = start(26, Mode::Stripped) else { return };
    let gcore = Command::new("gcore").arg("-o").arg(dir.path().join("core")).arg(oracle.pid().to_string()).output();
    match gcore {
        Ok(out) => assert!(out.status.success(), "{}", text(&out.stderr)),
        Err(e) => return eprintln!("SKIPPED: gcore (of gdb): {e}"),
    }
    let core = dir.path().join(format!("core.{}", oracle.pid()));
    let store = dir.path().join("captures");
    let folder = capture(core.to_str().unwrap(), &store, &["--exe", exe.to_str().unwrap()]);
    let again = report(&folder);
    let of_core = report(&core);
    assert_eq!(without_place_and_gaps(&again), without_place_and_gaps(&of_core));
    gdb_reads_what_the_program_told(&oracle, &folder.join("memory.core"));
    fs::remove_file(&exe).unwrap();
    fs::remove_file(&core).unwrap();
    equal("without the core", &report(&folder), &again);
    // And the capture of that capture's memory.
    let once_more = capture(folder.join("memory.core").to_str().unwrap(), &store, &[]);
    assert_eq!(without_place_and_gaps(&report(&once_more)), without_place_and_gaps(&again));
}
