//! Whether a program is a command, which works on what it was given and ends, and no service: what there is
//! to ask first of its death is its input, not a release (seen from outside: jq, esbuild, pdfcpu, restic and
//! gopls, each killed by one large input, and told to look for a release). Pure.

use crate::facts::{Facts, Group};
use crate::owner::frame;
use crate::waits::{Doing, Wait, doing};

/// Calls in which a server waits for the next connection.
const ACCEPTS: [&str; 2] = ["internal/poll.(*FD).Accept", "net.(*netFD).accept"];

/// Calls by which a program talks to others, or waits to be told to end.
const OF_A_SERVICE: [&str; 3] = ["net.(*netFD).", "internal/poll.(*pollDesc).", "os/signal.Notify"];

/// Whether it seems to be one: nothing listens, and `main.main` is at work itself; or waits for those that it
/// has started, and nobody is connected. A program whose goroutines were not read, or not all, is none.
pub(crate) fn is_command(facts: &Facts) -> bool {
    let groups = &facts.goroutines.groups;
    let stands_in = |group: &Group, of: &[&str]| {
        let mut functions = group.stack.iter().filter_map(|i| frame(facts, *i)).map(|f| f.function.as_str());
        functions.any(|f| of.iter().any(|of| f.starts_with(of)))
    };
    if facts.goroutines.unread > 0 || groups.iter().any(|g| stands_in(g, &ACCEPTS)) {
        return false;
    }
    let Some(first) = groups.iter().find(|g| is_first(facts, g)) else { return false };
    match doing(facts, first) {
        Doing::Working | Doing::Waiting(Wait::Syscall) => true,
        Doing::Waiting(Wait::AllDone) => !groups.iter().any(|g| stands_in(g, &OF_A_SERVICE)),
        Doing::Waiting(_) => false,
    }
}

/// Whether it is the goroutine that `main.main` runs in.
fn is_first(facts: &Facts, group: &Group) -> bool {
    let outermost = group.stack.iter().rev().filter_map(|i| frame(facts, *i)).map(|f| f.function.as_str());
    group.count == 1 && outermost.into_iter().find(|f| !f.starts_with("runtime.")) == Some("main.main")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Frame, Goroutines};

    #[test]
    fn who_listens_or_waits_is_no_command() {
        let names = [
            "runtime.mallocgc",
            "main.parse",
            "main.main",
            "internal/poll.(*FD).Accept",
            "net/http.(*Server).Serve",
            "sync.(*WaitGroup).Wait",
            "net.(*netFD).Read",
            "runtime.main",
        ];
        let is = |groups: &[(&[u32], &str, &str)]| {
            let group = |(stack, state, reason): &(&[u32], &str, &str)| Group {
                count: 1,
                state: (*state).into(),
                wait_reason: (*reason).into(),
                stack: stack.to_vec(),
                ..Group::default()
            };
            let groups = groups.iter().map(group).collect();
            is_command(&Facts {
                frames: names.iter().map(|f| Frame { function: (*f).into(), ..Frame::default() }).collect(),
                goroutines: Goroutines { groups, ..Goroutines::default() },
                ..Facts::default()
            })
        };
        assert!(is(&[(&[0, 1, 2, 7], "running", "")]), "it parses");
        assert!(is(&[(&[5, 2], "waiting", "sync.WaitGroup.Wait"), (&[0, 1], "runnable", "")]), "its workers do");
        assert!(!is(&[(&[5, 2], "waiting", "sync.WaitGroup.Wait"), (&[6, 1], "waiting", "IO wait")]), "it consumes");
        assert!(!is(&[(&[0, 1, 2], "running", ""), (&[3, 4], "waiting", "IO wait")]), "it listens");
        assert!(!is(&[(&[2], "waiting", "select"), (&[0, 1], "running", "")]), "it waits for a signal");
        assert!(!is(&[(&[0, 1], "running", "")]), "nobody knows what the first does");
    }
}
