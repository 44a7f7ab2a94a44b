//! A separate process that undoes what we did to a cgroup if we stall or die: it holds one end of a pipe, and the kernel closes our end whatever kills us.
//!
//! Lines on its standard input: `freeze DIR` (about to freeze: thaw by yourself in 500 ms), `hold` (about to hold a target by ptrace: should we not say `thawed` in a
//! second, we are stopped ourselves, by Ctrl-Z or a freezer, and are ended so that the kernel lets the target go), `thawed` (done), `profiling PID START ADDRESS
//! SECONDS` (about to switch a memory profile on: off again after that time and at the end), `bye` (all is undone, leave).

use std::io::{self, BufRead as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

use crate::cgroup::remove_when_empty;
use crate::journal::thaw;
use crate::profiling::Switched;

/// A frozen target is thawed after this time at the latest, whatever we do.
pub const PATIENCE: Duration = Duration::from_millis(500);
/// The hidden subcommand of the binary that runs [`serve`].
pub const SUBCOMMAND: &str = "watchdog";

/// Our end. Dropped without [`Watchdog::dismiss`] it does as if we had died: it stays until the groups are empty and removes them.
#[derive(Debug)]
pub struct Watchdog {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts the watchdog for the cgroup folders `made`.
    ///
    /// # Errors
    /// The system's error: without a watchdog nothing may be frozen by cgroup.
    pub fn start(made: &[PathBuf]) -> io::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg(SUBCOMMAND)
            .args(made)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Tells it that `dir` will be frozen now.
    ///
    /// # Errors
    /// It is gone: do not freeze.
    pub fn before_freeze(&mut self, dir: &Path) -> io::Result<()> {
        self.say(&format!("freeze {}\n", dir.display()))
    }

    /// Tells it that a target will be held by ptrace now.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn before_hold(&mut self) -> io::Result<()> {
        self.say("hold\n")
    }

    /// Tells it that the target runs again.
    pub fn after_thaw(&mut self) {
        let _ = self.say("thawed\n");
    }

    /// Tells it that a memory profile will be switched on now.
    ///
    /// # Errors
    /// It is gone: do not.
    pub(crate) fn before_profiling(&mut self, switched: &Switched, most: Duration) -> io::Result<()> {
        self.say(&format!("{} {}\n", switched.line(), most.as_secs()))
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.pipe.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(line.as_bytes())
    }
}

impl Watchdog {
    /// All is undone: it leaves.
    pub fn dismiss(mut self) {
        let _ = self.say("bye\n");
        self.pipe = None;
        let _ = self.child.wait();
    }
}

/// The watchdog's own main: returns when its watch is over.
pub fn serve(made: &[PathBuf]) {
    // A session of its own: a Ctrl-C at the terminal that ends us must not end it.
    let _ = nix::unistd::setsid();
    // And a service manager that ends the whole group must not end it before us.
    let set: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    let _ = set.thread_block();
    // Not through `Stdin`: what stands in a buffer must be seen before we sleep in poll.
    let Ok(input) = io::stdin().as_fd().try_clone_to_owned() else {
        return;
    };
    let mut input = io::BufReader::new(std::fs::File::from(input));
    let owner = nix::unistd::getppid();
    let mut frozen: Option<(PathBuf, Instant)> = None;
    let mut held_until: Option<Instant> = None;
    let mut profiling: Option<(Switched, Instant)> = None;
    let mut line = String::new();
    loop {
        let thaw_at = frozen.as_ref().map(|(_, since)| *since + PATIENCE);
        let next = [thaw_at, held_until, profiling.as_ref().map(|(_, until)| *until)].into_iter().flatten().min();
        let wait = next.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = wait.map_or(PollTimeout::NONE, |w| PollTimeout::try_from(w).unwrap_or(PollTimeout::ZERO));
        let waits = input.buffer().is_empty();
        let ready = waits.then(|| poll(&mut [PollFd::new(input.get_ref().as_fd(), PollFlags::POLLIN)], timeout));
        if ready == Some(Ok(0)) {
            let now = Instant::now();
            // Announced and not yet written is not frozen yet: the watch goes on until we hear that it is over.
            if let Some((dir, since)) = frozen.as_mut().filter(|(_, since)| *since + PATIENCE <= now) {
                thaw(dir);
                *since = now;
            }
            if held_until.is_some_and(|until| until <= now) {
                end(owner);
                held_until = None;
            }
            if let Some((switched, _)) = profiling.take_if(|(_, until)| *until <= now) {
                switched.undo();
            }
            continue;
        }
        line.clear();
        match input.read_line(&mut line) {
            Ok(n) if n > 0 => match line.trim_end().split_once(' ') {
                Some(("profiling", words)) => profiling = parse_profiling(words),
                Some(("freeze", dir)) => frozen = Some((PathBuf::from(dir), Instant::now())),
                _ if line.trim_end() == "bye" => return,
                _ if line.trim_end() == "hold" => held_until = Some(Instant::now() + PATIENCE * 2),
                _ => (frozen, held_until) = (None, None),
            },
            _ => break,
        }
    }
    // Its owner is dead.
    if let Some((switched, _)) = profiling {
        switched.undo();
    }
    for dir in made {
        thaw(dir);
    }
    // The command lives on under the limit that its user asked for; its group goes when it ends.
    while !made.iter().rev().all(|d| remove_when_empty(d)) {
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The words behind `profiling`: what, and for how many seconds at most.
fn parse_profiling(words: &str) -> Option<(Switched, Instant)> {
    let (switched, seconds) = words.rsplit_once(' ')?;
    let until = Instant::now().checked_add(Duration::from_secs(seconds.parse().ok()?))?;
    Some((Switched::parse(switched)?, until))
}

/// Ends our owner, if it still is that.
fn end(owner: Pid) {
    if owner == nix::unistd::getppid() && owner.as_raw() > 1 {
        let _ = nix::sys::signal::kill(owner, Signal::SIGKILL);
    }
}
