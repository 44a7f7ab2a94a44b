//! A separate process that undoes what we did to a cgroup if we stall or die: it holds one end of a pipe, and the kernel closes our end whatever kills us.
//!
//! Lines on its standard input: `freeze DIR` (about to freeze: thaw by yourself in 500 ms), `thawed` (done), `profiling PID START ADDRESS` (about to switch a memory
//! profile on: off again at the end), `bye` (all is undone, leave).

use std::io::{self, BufRead as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};

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

    /// Tells it that the target runs again.
    pub fn after_thaw(&mut self) {
        let _ = self.say("thawed\n");
    }

    /// Tells it that a memory profile will be switched on now.
    ///
    /// # Errors
    /// It is gone: do not.
    pub(crate) fn before_profiling(&mut self, switched: &Switched) -> io::Result<()> {
        self.say(&format!("{}\n", switched.line()))
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
    let mut frozen: Option<(PathBuf, Instant)> = None;
    let mut profiling: Option<Switched> = None;
    let mut line = String::new();
    loop {
        let wait = frozen.as_ref().map(|(_, since)| PATIENCE.saturating_sub(since.elapsed()));
        let timeout = wait.map_or(PollTimeout::NONE, |w| PollTimeout::try_from(w).unwrap_or(PollTimeout::ZERO));
        let waits = input.buffer().is_empty();
        let ready = waits.then(|| poll(&mut [PollFd::new(input.get_ref().as_fd(), PollFlags::POLLIN)], timeout));
        if ready == Some(Ok(0)) {
            // Announced and not yet written is not frozen yet: the watch goes on until we hear that it is over.
            if let Some((dir, since)) = &mut frozen {
                thaw(dir);
                *since = Instant::now();
            }
            continue;
        }
        line.clear();
        match input.read_line(&mut line) {
            Ok(n) if n > 0 => match line.trim_end().split_once(' ') {
                Some(("profiling", words)) => profiling = Switched::parse(words),
                Some(("freeze", dir)) => frozen = Some((PathBuf::from(dir), Instant::now())),
                _ if line.trim_end() == "bye" => return,
                _ => frozen = None,
            },
            _ => break,
        }
    }
    // Its owner is dead.
    if let Some(switched) = profiling {
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
