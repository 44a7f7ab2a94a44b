//! The watchdog's own process.

use std::io::{self, BufRead as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

use super::duties::{Act, Duties};
use super::pins::Pins;
use crate::undo::cgroup_file::remove_when_empty;
use crate::undo::cgroup_file::thaw;

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
    let mut duties = Duties::new(Instant::now());
    let mut pins: Option<Pins> = None;
    let mut line = String::new();
    loop {
        let next = duties.next().into_iter().chain(pins.as_ref().map(Pins::due)).min();
        let wait = next.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = wait.map_or(PollTimeout::NONE, |w| {
            // Rounded up: poll knows milliseconds, and before the time there is nothing to do.
            PollTimeout::try_from(w + Duration::from_micros(999)).unwrap_or(PollTimeout::ZERO)
        });
        let waits = input.buffer().is_empty();
        let ready = waits.then(|| poll(&mut [PollFd::new(input.get_ref().as_fd(), PollFlags::POLLIN)], timeout));
        // Also with lines coming in all the time: what is due is due.
        duties.due(Instant::now()).into_iter().for_each(|act| carry_out(act, owner));
        if let Some(pins) = &mut pins {
            pins.look(Instant::now());
        }
        if ready.is_some_and(|r| !matches!(r, Ok(n) if n > 0)) {
            continue;
        }
        line.clear();
        match input.read_line(&mut line) {
            Ok(n) if n > 0 => {
                if let Some(words) = line.trim_end().strip_prefix("pins ") {
                    pins = Pins::parse(words, owner, Instant::now());
                } else if duties.hear(&line, Instant::now()) {
                    return;
                }
            }
            _ => break,
        }
    }
    // Its owner is dead.
    duties.all().into_iter().for_each(|act| carry_out(act, owner));
    for dir in made {
        thaw(dir);
    }
    // The command lives on under the limit that its user asked for; its group goes when it ends.
    while !made.iter().rev().all(|d| remove_when_empty(d)) {
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn carry_out(act: Act, owner: Pid) {
    match act {
        Act::ProfilingOff(change) => drop(change.undo()),
        Act::Restore(change) => drop(change.undo()),
        // If it still is that.
        Act::EndOwner if owner == nix::unistd::getppid() && owner.as_raw() > 1 => {
            let _ = nix::sys::signal::kill(owner, Signal::SIGKILL);
        }
        Act::EndOwner => {}
    }
}
