//! State of a goroutine.

use super::named::named;

named! {
    /// State of a goroutine, as Go names it in tracebacks.
    pub enum GoroutineState {
        /// Ready, waits for a P.
        Runnable = "runnable",
        /// On a thread.
        Running = "running",
        /// In a system call or in C.
        Syscall = "syscall",
        /// Parked; the wait reason says why.
        Waiting = "waiting",
        /// Its stack is being moved.
        CopyStack = "copystack",
        /// Stopped itself for a `suspendG`.
        Preempted = "preempted",
        /// Found leaked by a goroutine-leak GC (Go 1.26 and newer).
        Leaked = "leaked",
    }
}
