//! A separate process that undoes what we did if we stall or die: it holds one end of a pipe, and the kernel
//! closes our end whatever kills us.
//!
//! It is told of each act before the act, and of its end; `duties.rs` has the words. It keeps a deadline for
//! each, and carries all of them out at once when our end of the pipe closes. Beside that it looks after our
//! pins (`pins.rs`).

mod duties;
mod pins;
mod serve;

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

pub(crate) use duties::{LONGEST_HOLD, PATIENCE};
pub use serve::serve;

use crate::pin::Pages;
use crate::undo::cgroup_limit::CgroupLimitChange;
use crate::undo::profile_rate::ProfileRateChange;

/// The hidden subcommand of the binary that runs [`serve`].
pub const SUBCOMMAND: &str = "watchdog";

/// Our end, for all threads. Dropped without [`Watchdog::dismiss`] it does as if we had died: it stays until
/// the groups are empty and removes them.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: Mutex<Child>,
    pipe: Mutex<Option<ChildStdin>>,
    holds: AtomicU64,
}

impl Watchdog {
    /// Starts the watchdog for the cgroup folders `made`.
    ///
    /// # Errors
    /// The system's error: without a watchdog nobody is held for longer than a moment.
    pub(crate) fn start(made: &[PathBuf]) -> io::Result<Self> {
        // Without it there are no pins to look after.
        let pages = Pages::of_this_process().ok();
        let faults = pages.as_ref().and_then(|p| p.as_fd().try_clone_to_owned().ok());
        let mut child = Command::new("/proc/self/exe")
            .arg(SUBCOMMAND)
            .args(made)
            .stdin(Stdio::piped())
            .stdout(faults.map_or_else(Stdio::null, Stdio::from))
            .spawn()?;
        let pipe = child.stdin.take();
        if let Some(pipe) = &pipe {
            // Should it hang, we must not hang with it.
            fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let watchdog = Self { child: Mutex::new(child), pipe: Mutex::new(pipe), holds: AtomicU64::new(0) };
        if let Some((start, len)) = pages.map(|p| p.range()) {
            watchdog.say(&format!("pins {start:x} {len:x}\n"))?;
        }
        Ok(watchdog)
    }

    /// Whether it still runs.
    #[must_use]
    pub(crate) fn is_alive(&self) -> bool {
        self.pipe().is_some() && matches!(self.child().try_wait(), Ok(None))
    }

    /// Tells it that a target will be held by ptrace now, for `most` at the longest; gives a number for
    /// [`Watchdog::after_hold`].
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn before_hold(&self, most: Duration) -> io::Result<u64> {
        let number = self.holds.fetch_add(1, Ordering::Relaxed);
        self.say(&format!("hold {number} {}\n", most.as_millis())).map(|()| number)
    }

    /// Tells it that the target runs again.
    pub(crate) fn after_hold(&self, number: u64) {
        let _ = self.say(&format!("held {number}\n"));
    }

    /// Tells it that a memory profile will be switched on now.
    ///
    /// # Errors
    /// It is gone: do not.
    pub(crate) fn before_profiling(&self, change: &ProfileRateChange, most: Duration) -> io::Result<()> {
        self.say(&format!("profiling {} {}\n", change.words(), most.as_secs()))
    }

    /// Tells it that a brake will be set now, for `most` at the longest.
    ///
    /// # Errors
    /// It is gone: do not.
    pub(crate) fn before_brake(&self, change: &CgroupLimitChange, most: Duration) -> io::Result<()> {
        self.say(&format!("tripwire {} {}\n", most.as_millis(), change.words()))
    }

    /// Tells it that the file is as it was.
    pub(crate) fn after_brake(&self, file: &Path) {
        let _ = self.say(&format!("restored {}\n", file.display()));
    }

    /// A sign of life: while a brake is set, silence for [`PATIENCE`] has it undone.
    pub(crate) fn beat(&self) {
        let _ = self.say("beat\n");
    }

    /// All is undone: it leaves.
    pub(crate) fn dismiss(&self) {
        let _ = self.say("bye\n");
        *self.pipe() = None;
        let _ = self.child().wait();
    }

    fn say(&self, line: &str) -> io::Result<()> {
        self.pipe().as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(line.as_bytes())
    }

    fn pipe(&self) -> MutexGuard<'_, Option<ChildStdin>> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
