//! Signals that are sent to us while a command runs under us.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// Signals that would end us before our work is done: taken by descriptor. Children start with none blocked
/// (std resets the mask).
#[derive(Debug)]
pub(crate) struct Signals(Option<SignalFd>);

impl Signals {
    /// Before any thread is started, so that all inherit it.
    pub(crate) fn block() -> Self {
        let set: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        let taken = set
            .thread_block()
            .and_then(|()| SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC));
        Self(taken.ok())
    }

    /// Hands signals that somebody sent us on to the command. A Ctrl-C at the terminal has reached it
    /// already: the kernel sent that to both.
    pub(crate) fn forward(&self, child: i32) {
        const SI_KERNEL: i32 = 0x80;
        while let Some(info) = self.0.as_ref().and_then(|fd| fd.read_signal().ok().flatten()) {
            if info.ssi_code != SI_KERNEL {
                let signal = i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok());
                let _ = kill(Pid::from_raw(child), signal);
            }
        }
    }

    /// For poll: readable when there is one.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }
}
