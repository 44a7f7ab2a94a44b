//! What ends each kind of wait: the cure that rules about waiting goroutines give.

use crate::facts::Group;
use crate::units::seconds;
use crate::waits::Wait;

/// Nanoseconds up to which who is woken by a timer of its own is not stuck: whoever waits for a day may as
/// well be. Chosen.
const SOON_NS: u64 = 300_000_000_000;

/// What is known beside the wait itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Goroutines that may hold the lock are named beside it.
    pub(crate) holders: bool,
    /// Whether I/O has a deadline; `None`: it was not read.
    pub(crate) deadline: Option<bool>,
    /// Whether I/O is a write.
    pub(crate) writes: bool,
    /// Nanoseconds within which timers of their own wake nearly all of them.
    pub(crate) wakes_within_ns: Option<u64>,
}

/// What to do about goroutines that wait so in `place`.
pub(crate) fn cure(wait: Wait, place: &str, known: Known) -> String {
    let soon = known.wakes_within_ns.filter(|ns| *ns <= SOON_NS);
    if let (Wait::Select | Wait::ChanReceive, Some(ns)) = (wait, soon) {
        return format!(
            "They are not stuck: a timer of its own wakes each in {place}, within {}. See who starts so many, or what else that they wait for comes late; let each wait for less, and bound how many there may be at a time.",
            seconds(ns as f64 / 1e9)
        );
    }
    match wait {
        wait if wait.is_lock() && known.holders => format!(
            "See what the goroutines that may hold the lock of {place} do while they hold it: a return, or a panic that somebody recovers, without Unlock; a wait or a slow call under the lock."
        ),
        wait if wait.is_lock() => format!(
            "Find who holds the lock that {place} waits for, and does not give it back soon: a return, or a panic that somebody recovers, without Unlock; a wait or a slow call under the lock."
        ),
        Wait::Io if known.writes => format!(
            "Give what {place} writes a deadline (SetWriteDeadline, a server's WriteTimeout), bound what may queue up behind a writer, and let go of who does not read."
        ),
        Wait::Io => match known.deadline {
            Some(false) => format!(
                "Give what {place} waits for a deadline (SetReadDeadline, a client's Timeout, a context), and bound how many may wait at a time."
            ),
            Some(true) => format!(
                "See why the other end is slow to answer {place}; let each wait for less, and bound how many may wait at a time."
            ),
            None => {
                format!("See who does not answer {place}, and why; bound how many may wait at a time, and how long.")
            }
        },
        Wait::ChanSend => format!(
            "See who should receive from the channel that {place} sends to, and why it does not: it returned, or is slower; give the send a way out (select with a context), or the channel a buffer for each sender."
        ),
        Wait::ChanReceive => format!(
            "See who should send to, or close, the channel that {place} receives from; give the wait a way out (select with a context)."
        ),
        Wait::Select => format!(
            "See why no case of the select in {place} comes: who should send, or close; and give it a way out that comes in time (a context with a deadline, a timer), if it has none."
        ),
        Wait::AllDone => format!(
            "See which Done is missing for the WaitGroup that {place} waits for: an early return, a panic, an Add too many."
        ),
        Wait::NilChan | Wait::Forever => {
            format!("Nobody can end the wait in {place}: give it a channel that is made, or a way out.")
        }
        _ => format!("Bound how many goroutines may wait in {place} at a time, and give the wait an end."),
    }
}

/// Whether nearly all of a group that waits for I/O have a deadline, or nearly none; `None` where that was
/// not read, or is mixed.
pub(crate) fn deadline(group: &Group) -> Option<bool> {
    let without = group.no_deadline.filter(|_| group.count > 0)?;
    let few = group.count / 10;
    match without {
        n if n >= group.count - few => Some(false),
        n if n <= few => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_woken_by_its_own_timer_is_not_stuck() {
        let known = Known { wakes_within_ns: Some(30_000_000_000), ..Known::default() };
        let said = "They are not stuck: a timer of its own wakes each in main.group, within 30 s.";
        assert!(cure(Wait::Select, "main.group", known).starts_with(said));
        assert!(cure(Wait::Select, "main.group", Known::default()).starts_with("See why no case of the select"));
        let late = Known { wakes_within_ns: Some(86_400_000_000_000), ..Known::default() };
        assert!(cure(Wait::Select, "main.group", late).starts_with("See why no case of the select"));
        // Of a lock a timer that the goroutine has beside it says nothing.
        assert!(cure(Wait::Mutex, "main.group", known).starts_with("Find who holds the lock"));
    }
}
