//! What every actor does in the same way: it sleeps in poll, takes evidence and sees whether it came in time,
//! and says a thing once.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use lastgasp_goruntime::MemStats;
use lastgasp_observe::raw_capture::{Phase, RawCapture};
use lastgasp_observe::target::Target;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::act::stop::Stopper;
use crate::take::{CaptureContext, take};

/// What ended a sleep before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The process has ended.
    pub(crate) exited: bool,
    /// The other descriptor can be read.
    pub(crate) other: bool,
}

/// Sleeps for that time, or until the process behind `exit` ends, or until `other` can be read.
pub(crate) fn sleep(exit: Option<BorrowedFd<'_>>, other: Option<BorrowedFd<'_>>, at_most: Duration) -> Ready {
    let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::ZERO);
    let mut fds: Vec<PollFd<'_>> = exit.into_iter().chain(other).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    let _ = poll(&mut fds, timeout);
    let mut ready = fds.iter().map(|fd| fd.revents().is_some_and(|r| r.contains(PollFlags::POLLIN)));
    let mut next = |is_polled: bool| is_polled && ready.next().unwrap_or(false);
    Ready { exited: next(exit.is_some()), other: next(other.is_some()) }
}

/// Takes evidence; gives beside it why it is worth nothing, if so: killed between the decision and the copy
/// (seen on a starved virtual machine), where what is held is read afterwards; and without the runtime's own
/// numbers there is nothing to say. Of one that is not held what was read in its last moment is all there
/// will be.
pub(crate) fn take_in_time(
    target: &Target,
    stopper: Option<&Stopper>,
    context: CaptureContext<'_>,
) -> (RawCapture, Option<String>) {
    let (phase, only_copy) = (context.phase, context.only_copy);
    let raw = take(target, stopper, context);
    let dead = phase == Phase::PreKill && raw.stopped.is_zero() && !target.process.is_alive();
    let readable = MemStats::read(&raw.runtime, &raw.evidence.snapshot).is_ok();
    let worthless = is_worthless(dead, only_copy, readable);
    let why = worthless.then(|| match phase {
        Phase::PreKill => "too late: it was dead before it was copied".into(),
        _ => "its memory was gone before it was copied".into(),
    });
    (raw, why)
}

/// Whether a copy is worth nothing: of a target that was `dead` by then, `readable` as far as the runtime's
/// own numbers are in it.
fn is_worthless(dead: bool, only_copy: bool, readable: bool) -> bool {
    !readable || dead && !only_copy
}

/// What could not be done, each once.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<String>);

impl Notes {
    /// Notes that; gives whether it is new.
    pub(crate) fn add(&mut self, note: &str) -> bool {
        let new = !self.0.iter().any(|n| n == note);
        if new {
            self.0.push(note.to_owned());
        }
        new
    }

    /// All that were noted.
    pub(crate) fn all(self) -> Vec<String> {
        self.0
    }
}

impl From<Vec<String>> for Notes {
    fn from(notes: Vec<String>) -> Self {
        Self(notes)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn what_can_be_read_ends_a_sleep_and_is_named() {
        let (quiet, _keep) = nix::unistd::pipe().unwrap();
        let ready = std::fs::File::open("/dev/zero").unwrap();
        let (quiet, ready, long) = (quiet.as_fd(), ready.as_fd(), Duration::from_secs(60));
        let named = |exited, other| Ready { exited, other };
        assert_eq!(sleep(Some(ready), Some(quiet), long), named(true, false));
        assert_eq!(sleep(Some(quiet), Some(ready), long), named(false, true));
        assert_eq!(sleep(None, Some(ready), long), named(false, true));
        assert_eq!(sleep(Some(ready), None, long), named(true, false));
        assert_eq!(sleep(Some(quiet), None, Duration::from_millis(5)), named(false, false));
    }

    /// Who died under the copy, and is held by nobody, is not read again.
    #[test]
    fn what_was_read_of_the_dying_is_kept_where_it_is_all() {
        for (dead, only_copy, worthless) in [(true, false, true), (true, true, false), (false, false, false)] {
            assert_eq!(is_worthless(dead, only_copy, true), worthless, "{dead} {only_copy}");
            assert!(is_worthless(dead, only_copy, false), "nothing of the runtime was read");
        }
    }

    #[test]
    fn a_thing_is_said_once() {
        let mut notes = Notes::from(vec!["a".to_owned()]);
        assert!(!notes.add("a") && notes.add("b") && !notes.add("b"));
        assert_eq!(notes.all(), ["a", "b"]);
    }
}
