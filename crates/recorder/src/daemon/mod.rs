//! The daemon: every Go process of the machine under watch.
//!
//! One thread, the supervisor, hears of new processes, looks at the cgroups of all calm ones, and must never
//! hang: it reads no process's memory. Who is in danger gets a `worker`, a thread of its own, which samples
//! closely, strikes, and reads what a kill has left. New processes are looked at by two threads (`attach`),
//! calm ones sampled lightly by one (`calm_sampler`). When many die at once the `gate` lets the most
//! endangered through first.

mod admission;
mod assignment;
mod attach;
mod attach_latency;
mod attach_queue;
mod binaries;
mod calm_sampler;
mod gate;
mod library_rescan;
mod limit_notices;
mod lives;
mod memory_alarm;
mod memory_notices;
mod messages;
mod pin_probe_thread;
mod process_events;
mod schedule;
mod settings;
mod shared;
pub mod status;
mod supervisor;
mod target_status;
mod worker;

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub use crate::take::leak_look::{HeapReader, HeapReaders, LeakLook, LeakRules};
pub use gate::Share;
use lives::Lives;
pub use lives::{HowItEnded, LifeNotice};
pub use settings::{BrakeRules, Settings, Subject, Wanted};
pub use shared::Captured;
use status::{Counters, Status, count};
pub use target_status::CensusJump;

use messages::{Inbox, Message};
use shared::Common;
use supervisor::Supervisor;

use crate::guard::guarded;

/// The daemon, from outside.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: Inbox,
    counters: Arc<Mutex<Counters>>,
}

impl Handle {
    /// What it knows now; `None` if it does not answer within a second, which it always does when it is well.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let (sender, answer) = channel();
        self.inbox.send(Message::Status(sender));
        answer.recv_timeout(Duration::from_secs(1)).ok()
    }

    /// Gives it another configuration.
    pub fn reload(&self, settings: Settings) {
        self.inbox.send(Message::Settings(Box::new(settings)));
    }

    /// Ends it: what is being taken is taken to its end, everything else is let go.
    pub fn stop(&self) {
        self.inbox.send(Message::Stop);
    }

    /// Says what came of a look at a process whose goroutines seemed to leak: how many are, if it is kept.
    pub fn leak_judged(&self, pid: i32, service: &str, leaked: Option<u64>) {
        self.inbox.send(Message::LeakJudged { pid, service: service.to_owned(), leaked });
    }

    /// Counts what became of captures.
    pub fn count(&self, change: impl FnOnce(&mut Counters)) {
        count(&self.counters, change);
    }
}

/// The daemon, about to be started.
#[derive(Debug)]
pub struct Daemon {
    handle: Handle,
    inbox: Receiver<Message>,
    captured: Sender<Captured>,
    lives: Lives,
    settings: Settings,
}

impl Daemon {
    /// Makes it ready. `captured` gets the evidence, in the order of taking; who reads it decodes and writes
    /// it on threads of its own.
    ///
    /// # Errors
    /// The system's error.
    pub fn new(settings: Settings, captured: Sender<Captured>) -> io::Result<Self> {
        let (sender, inbox) = channel();
        let wakeup = Arc::new(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let handle = Handle { inbox: Inbox { sender, wakeup }, counters: Arc::default() };
        Ok(Self { handle, inbox, captured, lives: Lives::default(), settings })
    }

    /// Has somebody told of starts and ends of watched processes. The supervisor does not wait for whoever
    /// takes them: where there is no room a notice is dropped.
    #[must_use]
    pub fn telling_of_lives(self, lives: SyncSender<LifeNotice>) -> Self {
        Self { lives: Lives::to(lives), ..self }
    }

    /// For other threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Watches until it is told to stop. The calling thread becomes the supervisor.
    ///
    /// # Errors
    /// The system's error: it could not begin. Or the supervisor panicked.
    pub fn run(self) -> io::Result<()> {
        // A shell's limit of 1024 would be used up by a hundred and fifty watched processes.
        if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
            say_how_many(most);
        }
        let common =
            Arc::new(Common::new(&self.settings, self.captured, self.lives, Arc::clone(&self.handle.counters)));
        ends_with_an_error(|| Supervisor::new(self.settings, self.handle.inbox, common)?.run(&self.inbox))
    }
}

/// Descriptors of a calm process in a group of its own: its memory, its page map, what tells of its end; its
/// group's charge, OOM counter and alarm, which those share that are watched in one group. A group above it
/// that has a limit takes two more, for all below it together; of who is in danger its mappings and the way
/// to its watch are open too (`calm_processes_take_six_descriptors_each`).
pub(crate) const DESCRIPTORS: u64 = 6;
/// Those of the daemon itself, and those that are kept for who is in danger.
const OWN_DESCRIPTORS: u64 = 128;
/// More Go processes than most nodes run.
const MANY: u64 = 1000;

/// So many processes can be watched with that limit of descriptors, each in a group of its own.
fn enough_for(limit: u64) -> u64 {
    limit.saturating_sub(OWN_DESCRIPTORS.min(limit / 2)) / DESCRIPTORS
}

/// Says for how many processes the limit of descriptors is enough.
fn say_how_many(limit: u64) {
    let processes = enough_for(limit);
    if processes < MANY {
        tracing::warn!(
            limit,
            processes,
            event = "descriptors",
            "descriptors are enough for some {processes} Go processes: who comes after them is watched when others have ended (LimitNOFILE, ulimit -n: raise it)"
        );
    } else {
        tracing::info!(
            limit,
            processes,
            event = "descriptors",
            "descriptors are enough for some {processes} Go processes"
        );
    }
}

/// Runs the supervisor; its panic is an error. What it had is dropped in the unwinding: that calls all
/// workers away, and what they hold and brake is undone. Who started us starts us again.
fn ends_with_an_error(supervisor: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    guarded("supervisor", supervisor).unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell's limit, the unit's (deploy/systemd/lastgasp.service), and one that leaves next to nothing.
    #[test]
    fn a_limit_of_descriptors_is_enough_for_so_many() {
        assert_eq!([1024, 65_536, 90, 0].map(enough_for), [149, 10_901, 7, 0]);
    }

    #[test]
    fn a_supervisor_that_panics_ends_the_daemon_with_its_words() {
        let error = ends_with_an_error(|| panic!("no such target: {}", 7)).unwrap_err();
        assert_eq!(error.to_string(), "supervisor panicked: no such target: 7");
        assert!(ends_with_an_error(|| Ok(())).is_ok());
    }
}
