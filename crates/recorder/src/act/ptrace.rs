//! Stops of a traced thread: system calls that nix has no safe form for.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

/// How a traced thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceStop {
    /// Still on its way.
    NotYet,
    /// In a stop of the tracer's making, or a group stop: nothing to hand on.
    Trap,
    /// About to be delivered this signal, which a detach must hand on. Any number: Go's runtime and libc use
    /// real-time signals that nix cannot name.
    Signal(i32),
    /// It has ended.
    Gone,
}

/// Whether a traced thread has stopped. Consumes stops only, never an exit: the status of a child that dies
/// meanwhile stays for its parent to reap.
pub(crate) fn trace_stop(tid: i32) -> TraceStop {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let Ok(id) = libc::id_t::try_from(tid) else {
        return TraceStop::Gone;
    };
    // SAFETY: `info` is a siginfo_t of ours that the call fills.
    let r = unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), libc::WSTOPPED | libc::WNOHANG | libc::__WALL) };
    if r != 0 {
        return TraceStop::Gone;
    }
    // SAFETY: zeroed at first and filled by the call: for WNOHANG without an event si_pid stays 0.
    let (pid, status) = unsafe {
        let info = info.assume_init();
        (info.si_pid(), info.si_status())
    };
    match (pid, status >> 8, status & 0xff) {
        (0, ..) => TraceStop::NotYet,
        // A seized thread has but two kinds of stop: those with an event, and signal deliveries without.
        (_, 0, signal) => TraceStop::Signal(signal),
        _ => TraceStop::Trap,
    }
}

/// Lets a stopped thread go, delivering `signal` (0: none).
pub(crate) fn trace_detach(tid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: PTRACE_DETACH takes no pointer; `data` is the signal.
    let r = unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, 0, signal) };
    if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
