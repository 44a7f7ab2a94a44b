//! A store on a bad disk under `lastgasp watch`: full, read-only, slow. What is taken then is lost, and said
//! to be; the watch goes on, and captures again as soon as there is room. Real file systems, mounted where
//! nobody else sees them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use watching::{
    Daemon, all_is_undone, captures, folders, forget, is_captured, pin_is_tried, program, turn, victim, wait_for,
};

mod watching;

/// A file system in a mount namespace of its own, which a process of ours keeps; all is gone when that ends.
struct Disk {
    keeper: Child,
    folder: tempfile::TempDir,
}

impl Disk {
    /// `script` mounts it at `$1`; `None`, loudly, where that is not allowed.
    fn mount(script: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let all = format!("set -e; {script}; echo mounted; exec sleep 600");
        let mut keeper = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", &all, "sh"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = [0; 8];
        let mounted = keeper.stdout.take().is_some_and(|mut out| out.read_exact(&mut said).is_ok());
        if !mounted || &said != b"mounted\n" {
            let _ = keeper.kill();
            let _ = keeper.wait();
            println!("SKIPPED: nothing can be mounted here");
            return None;
        }
        Some(Self { keeper, folder })
    }

    /// The store as those inside see it.
    fn inside(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The same, seen from here.
    fn store(&self) -> PathBuf {
        let here = Path::new("/proc").join(self.keeper.id().to_string()).join("root");
        here.join(self.inside().strip_prefix("/").unwrap())
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.keeper.id().to_string()]);
        command
    }

    fn run(&self, args: &[&str]) {
        let status = self.enter().args(args).arg(self.folder.path()).status().unwrap();
        assert!(status.success(), "{args:?}");
    }

    fn watch(&self, service: &str) -> Daemon {
        let mut command = self.enter();
        command.arg(env!("CARGO_BIN_EXE_lastgasp"));
        Daemon::start_by(command, &self.inside(), service, "", &[])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Dies within a second and a half.
const DIES: [&str; 4] = ["-after", "500ms", "-rate", "120000000"];

/// One that dies while the store takes nothing: lost, and said so; nothing half-written stays, and the daemon
/// lives.
fn is_lost(disk: &Disk, daemon: &Daemon, pid: i32) {
    let said = || daemon.log.has("capture-failed", pid).then_some(());
    assert!(wait_for(said).is_some(), "not said");
    assert_eq!(folders(&disk.store(), pid), Vec::<PathBuf>::new());
    let partial = || {
        fs::read_dir(disk.store()).unwrap().flatten().any(|e| e.file_name().to_string_lossy().starts_with(".partial"))
    };
    assert!(wait_for(|| (!partial()).then_some(())).is_some(), "something half-written was left");
}

/// Written before long, and right.
fn is_kept(disk: &Disk, pid: i32) {
    let whole = |p: &PathBuf| watching::json(&p.join("manifest.json"))["phase"] == "post-kill";
    assert!(
        wait_for(|| folders(&disk.store(), pid).iter().any(whole).then_some(())).is_some(),
        "process {pid} is lost"
    );
    is_captured(&disk.store(), pid);
}

/// Full of what is not ours.
#[test]
fn a_disk_that_is_full() {
    let _turn = turn();
    let Some(disk) = Disk::mount(r#"mount -t tmpfs -o size=4m tmpfs "$1""#) else { return };
    let program = program("dies-on-full");
    let daemon = disk.watch("dies-on-full");
    let Some(first) = victim(&program, 500, &DIES) else { return };
    is_kept(&disk, first.wait());
    // Its captures could be removed to make room; what they leave is filled too.
    let ballast = disk.store().parent().unwrap().join("ballast");
    for entry in fs::read_dir(disk.store()).unwrap().flatten().filter(|e| e.file_name() != ".journal") {
        let _ = fs::remove_dir_all(entry.path());
    }
    let _ = fs::write(&ballast, vec![1; 8 << 20]);
    let Some(second) = victim(&program, 501, &DIES) else { return };
    is_lost(&disk, &daemon, second.wait());
    fs::remove_file(&ballast).unwrap();
    let Some(third) = victim(&program, 502, &DIES) else { return };
    is_kept(&disk, third.wait());
    daemon.stop();
    forget(&program);
}

/// As the kernel makes it after an error of the disk.
#[test]
fn a_disk_that_turns_read_only() {
    let _turn = turn();
    let Some(disk) = Disk::mount(r#"mount -t tmpfs -o size=64m tmpfs "$1""#) else { return };
    let program = program("dies-on-ro");
    let daemon = disk.watch("dies-on-ro");
    // While a file is open for writing it could not be made so.
    pin_is_tried(&daemon);
    all_is_undone(&disk.store());
    disk.run(&["mount", "-o", "remount,ro"]);
    let Some(first) = victim(&program, 510, &DIES) else { return };
    is_lost(&disk, &daemon, first.wait());
    disk.run(&["mount", "-o", "remount,rw"]);
    let Some(second) = victim(&program, 511, &DIES) else { return };
    is_kept(&disk, second.wait());
    daemon.stop();
    forget(&program);
}

/// Every write to it waits, as on a network disk whose server is gone: victims that die meanwhile are read in
/// time all the same, and written when it answers again.
#[test]
fn a_disk_that_does_not_answer() {
    let _turn = turn();
    // Given back to the machine with the mount: the loop device is cleared by itself.
    let script = r#"truncate -s 64M "$1.img"; mkfs.ext4 -q "$1.img"; mount -o loop "$1.img" "$1"; rm "$1.img""#;
    let Some(disk) = Disk::mount(script) else { return };
    let program = program("dies-on-slow");
    let daemon = disk.watch("dies-on-slow");
    disk.run(&["fsfreeze", "--freeze"]);
    let frozen = Instant::now();
    let pids: Option<Vec<i32>> = (520..524).map(|number| Some(victim(&program, number, &DIES)?.wait())).collect();
    // Long enough for the memory of the last one to be gone.
    std::thread::sleep(Duration::from_millis(2500));
    println!("it did not answer for {:?}", frozen.elapsed());
    disk.run(&["fsfreeze", "--unfreeze"]);
    for pid in pids.unwrap_or_default() {
        is_kept(&disk, pid);
        let found = captures(&disk.store(), pid);
        assert!(found.iter().any(|(phase, ..)| phase == "pre-kill"), "process {pid}: {found:?}");
    }
    daemon.stop();
    forget(&program);
}
