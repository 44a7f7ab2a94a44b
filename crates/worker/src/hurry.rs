//! A worker's turn among all that want processors. Who reads the dead has two seconds, and is started by a
//! thread that runs before others (`recorder::own_process`); that is inherited, and given back as soon as
//! nothing has to be read any more.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use rustix::process::{getpriority_process, setpriority_process, setsid};

/// Where the kernel is told how much of the processors a session gets beside others (sched(7), "The autogroup
/// feature"): on machines that have it, a nice value counts within its session alone.
const SESSION: &str = "/proc/self/autogroup";

/// Nice value of what must not wait for the services that are in trouble: that of the daemon's own threads.
const BEFORE_OTHERS: i32 = -10;

/// Lets the calling thread, and what it starts from now on, run before others. Best effort: without
/// CAP_SYS_NICE nothing changes.
pub(crate) fn run_before_others() {
    let _ = setpriority_process(None, BEFORE_OTHERS);
}

/// That it runs before others.
#[derive(Debug)]
pub(crate) struct Hurry {
    session: Option<File>,
}

impl Hurry {
    /// Of the calling process, if whoever started it runs before others: then so does its session, which is
    /// its own from now on. (Seen: 20 compilers in six sessions, and a graph that took ten times as long.)
    pub(crate) fn inherited() -> Option<Self> {
        let nice = getpriority_process(None).ok().filter(|nice| *nice < 0)?;
        // That of whoever started it is not to be changed.
        let own = setsid().is_ok();
        let session = own.then(|| OpenOptions::new().write(true).open(SESSION).ok()).flatten();
        let session = session.filter(|mut file| file.write_all(nice.to_string().as_bytes()).is_ok());
        Some(Self { session })
    }

    /// What is written to at its end.
    pub(crate) fn file(&self) -> Option<&File> {
        self.session.as_ref()
    }

    /// From now on it is as others are; so are the threads that it starts.
    pub(crate) fn end(&self) {
        let _ = setpriority_process(None, 0);
        if let Some(mut session) = self.session.as_ref() {
            let _ = session.write_all(b"0");
        }
    }
}
