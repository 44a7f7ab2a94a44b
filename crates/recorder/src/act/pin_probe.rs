//! The pin, tried at the daemon's start: a throw-away process in a throw-away group with a small limit is
//! killed by the kernel for memory while its address space is held, and read until it cannot be read any
//! more. Where no group can be made it is killed by us, which shows at least that memory can be held.
//!
//! The process is this program itself under another name ([`victim`]): not Go, so it is neither watched nor
//! counted. The kernel's log has its kill, as it has any other: of `lastgasp-trial`. Should we die meanwhile,
//! the process ends since its standard input does, or since its small limit does; its group is removed by a
//! watchdog, or at the next start from the journal.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lastgasp_inferior::Addr;
use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_observe::kernel::sys::pidfd_open;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::act::own_cgroup::OwnCgroup;
use crate::decide::pin_window::{LONGEST, PinWindow};
use crate::pin::Pin;
use crate::undo::cgroup_file::write;
use crate::undo::journal::Journal;
use crate::undo::watchdog::Watchdog;

/// The hidden subcommand of the binary that runs [`victim`].
pub const SUBCOMMAND: &str = "pin-victim";

/// The throw-away group's limit, and what the process takes at most: where swap takes what is over the limit
/// nobody is killed.
const LIMIT: u64 = 16 << 20;
const MAX_MEMORY: usize = 64 << 20;
/// What stands in the memory that is read.
const MARK: u64 = 0x6c61_7374_6761_7370;
/// How long a step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Enough to see that memory is held after a kill of our own.
const HELD: Duration = Duration::from_millis(300);

/// The process that is killed: says where its mark stands, waits for a byte, and grows.
pub fn victim() {
    // What the kernel's log will call it.
    let _ = nix::sys::prctl::set_name(c"lastgasp-trial");
    let mark = Box::new(MARK);
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{:#x}", std::ptr::from_ref::<u64>(&mark) as usize).and_then(|()| out.flush());
    // The end of input is our owner's end.
    if !matches!(io::stdin().read(&mut [0]), Ok(1)) {
        return;
    }
    let mut kept = Vec::new();
    while kept.len() < MAX_MEMORY >> 20 {
        let mut block = vec![0u8; 1 << 20];
        block.iter_mut().step_by(1024).for_each(|byte| *byte = 1);
        kept.push(block);
    }
    std::hint::black_box((&kept, &mark));
}

/// How a probe is made.
#[derive(Debug)]
pub struct Probe<'a> {
    /// Where groups can be made.
    pub mounts: &'a Mounts,
    /// Where the journal stands.
    pub store: &'a Path,
    /// Starts [`victim`].
    pub victim: Command,
    /// Set when there is no time for it any more.
    pub stop: &'a AtomicBool,
}

impl Probe<'_> {
    /// Name of the throw-away group of the daemon with that process number.
    #[must_use]
    pub fn group_name(pid: u32) -> String {
        format!("lastgasp-pin-trial-{pid}")
    }

    /// Tries it; `None` if it was stopped. Takes as long as memory can be read, three seconds at most.
    #[must_use]
    pub fn make(mut self) -> Option<PinWindow> {
        let window = self.tried().unwrap_or_else(|e| PinWindow::Unmeasured { why: format!("the trial failed: {e}") });
        (!self.stop.load(Ordering::Relaxed)).then_some(window)
    }

    fn tried(&mut self) -> io::Result<PinWindow> {
        let victim = Victim::start(&mut self.victim)?;
        let pid = victim.child.id();
        let exit = pidfd_open(pid as i32).ok_or_else(io::Error::last_os_error)?;
        let mem = Arc::new(File::open(format!("/proc/{pid}/mem"))?);
        let group = Throwaway::make(self.mounts, self.store, pid);
        // From here on it is dropped before its group.
        let mut victim = victim;
        let pin = match Pin::hold(Arc::clone(&mem), Addr(victim.mark)) {
            Ok(pin) => pin,
            Err(e) => return Ok(PinWindow::Refused { why: e.to_string() }),
        };
        // Until its thread is where it is to be.
        std::thread::sleep(Duration::from_millis(50));
        if self.stop.load(Ordering::Relaxed) || !pin.holds() {
            return Err(io::Error::other("memory was not held"));
        }
        match &group {
            Ok(_) => victim.grow()?,
            Err(_) => victim.child.kill()?,
        }
        if !readable(exit.as_fd(), PATIENCE) {
            return Err(io::Error::other("the throw-away process did not end"));
        }
        let died = Instant::now();
        let most = if group.is_ok() { LONGEST } else { HELD };
        let mut window = Duration::ZERO;
        while window < most && !self.stop.load(Ordering::Relaxed) {
            let mut mark = [0; 8];
            if mem.read_exact_at(&mut mark, victim.mark).is_err() || u64::from_ne_bytes(mark) != MARK {
                break;
            }
            window = died.elapsed();
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(pin);
        let status = victim.child.wait()?;
        Ok(match group {
            Ok(_) if status.signal() != Some(libc::SIGKILL) => PinWindow::Unmeasured {
                why: format!("the throw-away process went over its limit and was not killed ({status}): swap?"),
            },
            Ok(_) => PinWindow::Measured(window.min(LONGEST)),
            Err(_) if window < HELD => {
                PinWindow::Refused { why: format!("it was gone {} ms after the kill", window.as_millis()) }
            }
            Err(why) => PinWindow::Unmeasured { why: format!("{why} (after a kill of our own it was kept)") },
        })
    }
}

/// The process, and where its mark stands. Dropped, it is killed and reaped.
struct Victim {
    child: Child,
    mark: u64,
}

impl Victim {
    fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut victim = Self { child, mark: 0 };
        let out = victim.child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        if !readable(out.as_fd(), PATIENCE) {
            return Err(io::Error::other("the throw-away process said nothing"));
        }
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let mark = line.trim().strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        victim.mark = mark.ok_or_else(|| io::Error::other("the throw-away process did not start"))?;
        Ok(victim)
    }

    fn grow(&mut self) -> io::Result<()> {
        self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(b"g")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The group, with what removes it whatever becomes of us.
struct Throwaway {
    group: Option<OwnCgroup>,
    journal: Option<Journal>,
    watchdog: Option<Watchdog>,
}

impl Throwaway {
    /// Makes it and puts `pid` into it; gives why that cannot be done, or must not be.
    fn make(mounts: &Mounts, store: &Path, pid: u32) -> Result<Self, String> {
        // "2-compulsory": the machine is to stop also when only a group runs out of memory.
        if std::fs::read_to_string("/proc/sys/vm/panic_on_oom").is_ok_and(|t| t.trim() == "2") {
            return Err(
                "vm.panic_on_oom is 2: this machine stops at every OOM kill, and none is made for a trial".into()
            );
        }
        let name = Probe::group_name(std::process::id());
        let dirs = OwnCgroup::planned(mounts, &name).map_err(|e| e.to_string())?;
        // Before there is anything to remove: on a busy machine a start takes a while, and a kill in between
        // was once seen to leave the group behind.
        let journal = Journal::open(store, &dirs, &[]).map_err(|e| format!("no journal: {e}"))?;
        let mut made = Self { group: None, journal: Some(journal), watchdog: Watchdog::start(&dirs).ok() };
        let group = OwnCgroup::create_for_a_moment(mounts, &name, LIMIT).map_err(|e| e.to_string())?;
        let entered = write(&group.cgroup.memory.join("cgroup.procs"), &pid.to_string());
        made.group = Some(group);
        entered.map(|()| made).map_err(|e| e.to_string())
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        let removed = self.group.take().is_none_or(OwnCgroup::remove);
        match (removed, self.journal.take()) {
            (false, Some(journal)) => journal.keep(),
            (_, journal) => drop(journal),
        }
        // One that is not dismissed waits until the group is empty and removes it.
        if removed && let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
    }
}

/// Whether it becomes readable within that time.
fn readable(fd: BorrowedFd<'_>, within: Duration) -> bool {
    let timeout = PollTimeout::try_from(within).unwrap_or(PollTimeout::MAX);
    matches!(poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout), Ok(n) if n > 0)
}
