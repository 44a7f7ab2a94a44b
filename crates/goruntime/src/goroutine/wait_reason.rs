//! Why a goroutine waits, as the runtime says it, and what it would do. Source: `waitReasonStrings`
//! (`runtime2.go`), whose numbers change with every minor and whose texts hardly do.

/// What a blocked goroutine would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Send on a channel.
    Send,
    /// Receive from a channel.
    Receive,
    /// Send or receive: a case of a `select` that no queue of its channel has.
    SendOrReceive,
    /// Send on a nil channel: for ever.
    SendNil,
    /// Receive from a nil channel: for ever.
    ReceiveNil,
    /// `select {}`: for ever.
    NoCases,
    /// A `select` of which every channel is nil: for ever.
    AllNil,
    /// `sync.Mutex.Lock`.
    Lock,
    /// `sync.RWMutex.RLock`.
    ReadLock,
    /// `sync.RWMutex.Lock`.
    WriteLock,
    /// `sync.WaitGroup.Wait`.
    WaitGroup,
    /// `sync.Cond.Wait`.
    CondWait,
    /// Another semaphore.
    Semaphore,
    /// `time.Sleep`.
    Sleep,
    /// A read, or what the poller takes for one (accept).
    Read,
    /// A write, or what the poller takes for one (connect).
    Write,
    /// The poller, it is not known which way.
    ReadOrWrite,
    /// A system call.
    SystemCall,
    /// A call of C.
    C,
    /// The collector.
    Collector,
    /// Others in its `synctest` bubble.
    Bubble,
    /// Whoever resumes it as a coroutine (`iter.Pull`).
    Coroutine,
    /// Something of the runtime's own.
    Runtime,
}

/// What a reason tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// One operation on a channel: a `sudog` leads to it.
    Channel(Operation),
    /// A `select`: a `sudog` for each case.
    Select,
    /// A semaphore, and what it is for as far as the reason says.
    Semaphore(Option<Operation>),
    /// `sync.Cond.Wait`.
    Cond,
    /// `time.Sleep`.
    Sleep,
    /// The poller.
    Poll,
    /// Nothing that leads anywhere.
    Alone(Operation),
}

impl Reason {
    /// By the text.
    pub(crate) fn of(text: &str) -> Self {
        // `chan receive (synctest)` of Go 1.24 is `(durable)` from 1.25 on.
        let starts = |with: &str| text.starts_with(with);
        match text {
            "chan receive (nil chan)" => Self::Alone(Operation::ReceiveNil),
            "chan send (nil chan)" => Self::Alone(Operation::SendNil),
            "select (no cases)" => Self::Alone(Operation::NoCases),
            "IO wait" => Self::Poll,
            "sleep" => Self::Sleep,
            "coroutine" => Self::Alone(Operation::Coroutine),
            // Of Go 1.19 the reason of all of them, until Go 1.23 that of wait groups.
            "semacquire" => Self::Semaphore(None),
            "sync.Mutex.Lock" => Self::Semaphore(Some(Operation::Lock)),
            "sync.RWMutex.RLock" => Self::Semaphore(Some(Operation::ReadLock)),
            "sync.RWMutex.Lock" => Self::Semaphore(Some(Operation::WriteLock)),
            _ if starts("chan receive") => Self::Channel(Operation::Receive),
            _ if starts("chan send") => Self::Channel(Operation::Send),
            _ if starts("select") => Self::Select,
            _ if starts("sync.WaitGroup.Wait") => Self::Semaphore(Some(Operation::WaitGroup)),
            _ if starts("sync.Cond.Wait") => Self::Cond,
            _ if starts("synctest.") => Self::Alone(Operation::Bubble),
            "wait for GC cycle" | "panicwait" => Self::Alone(Operation::Collector),
            _ if starts("GC ") || starts("garbage collection") => Self::Alone(Operation::Collector),
            _ => Self::Alone(Operation::Runtime),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout;

    /// Whatever a release calls it: what this knows by name is there in the releases that have it.
    #[test]
    fn every_release_has_the_reasons_that_are_known_by_name() {
        for minor in 19..=27 {
            let reasons = layout::for_minor(minor).unwrap().wait_reasons;
            let count = |of: fn(&Reason) -> bool| reasons.iter().filter(|r| of(&Reason::of(r))).count();
            assert_eq!(count(|r| matches!(r, Reason::Poll)), 1, "Go 1.{minor}");
            assert_eq!(count(|r| matches!(r, Reason::Sleep)), 1, "Go 1.{minor}");
            assert_eq!(count(|r| matches!(r, Reason::Cond)), 1, "Go 1.{minor}");
            assert_eq!(count(|r| matches!(r, Reason::Semaphore(None))), 1, "Go 1.{minor}");
            let named = [0, 3, 3, 3, 3, 4, 5, 5, 5][usize::from(minor - 19)];
            assert_eq!(count(|r| matches!(r, Reason::Semaphore(Some(_)))), named, "Go 1.{minor}");
            let durable = if minor >= 24 { 3 } else { 0 };
            let channels = count(|r| matches!(r, Reason::Channel(_) | Reason::Select));
            assert_eq!(channels, 3 + durable, "Go 1.{minor}");
            assert_eq!(count(|r| matches!(r, Reason::Alone(Operation::SendNil | Operation::ReceiveNil))), 2);
            assert_eq!(count(|r| matches!(r, Reason::Alone(Operation::NoCases))), 1);
        }
    }
}
