//! What is waited for, in words.

use crate::facts::{Descriptor, Wait, WaitObject, WaitObjectKind, WaitOperation, WakeUp};
use crate::units::{bytes, count, plural, seconds, short};

use super::scene::Scene;
use super::verdict::Spot;

/// An object: `the mutex global main.cache . mu`, `an unbuffered channel of int`.
pub(super) fn object(o: &WaitObject) -> String {
    let named = |what: &str, article: &str| match (o.way.is_empty(), o.type_name.is_empty()) {
        (false, _) => format!("the {what} at {}", o.way),
        (true, false) => format!("{article} {what} of {}", o.type_name),
        // Two of them must be told apart.
        (true, true) if o.address != 0 => format!("{article} {what} at {:#x}", o.address),
        (true, true) => format!("{article} {what}"),
    };
    if !o.part_of.is_empty() {
        return named(&o.part_of, "a");
    }
    match &o.kind {
        WaitObjectKind::Channel => channel(o),
        WaitObjectKind::Mutex => named("mutex", "a"),
        WaitObjectKind::RwMutex => named("read-write lock", "a"),
        WaitObjectKind::WaitGroup => named("WaitGroup", "a"),
        WaitObjectKind::Cond => named("condition variable", "a"),
        WaitObjectKind::Descriptor => o.descriptor.as_ref().map_or_else(|| "a descriptor".into(), descriptor),
        WaitObjectKind::Semaphore => named("semaphore", "a"),
        WaitObjectKind::Unknown(_) => "something that is not known".into(),
    }
}

fn channel(o: &WaitObject) -> String {
    let mut what = match (o.capacity, o.length) {
        (0, _) => "unbuffered channel".to_owned(),
        (of, 0) => format!("channel (none of {} in its buffer)", count(of)),
        (of, n) if n >= of => format!("channel whose buffer of {} is full", count(of)),
        (of, n) => format!("channel ({} of {} in its buffer)", count(n), count(of)),
    };
    if !o.type_name.is_empty() {
        what = what.replacen("channel", &format!("channel of {}", o.type_name), 1);
    }
    let article = match (o.closed, what.starts_with('u')) {
        (true, _) => "a closed",
        (false, true) => "an",
        (false, false) => "a",
    };
    let way = if o.way.is_empty() { String::new() } else { format!(", {}", o.way) };
    format!("{article} {what}{way}")
}

/// `tcp 10.0.0.7:5000 to 10.0.0.9:5432 (established, 0 B unread)`.
fn descriptor(d: &Descriptor) -> String {
    let what = if d.what.is_empty() { "a descriptor" } else { &d.what };
    let ends = match (d.local.is_empty(), d.peer.is_empty()) {
        (_, false) => format!(" to {}", d.peer),
        (false, true) => format!(" at {}", d.local),
        (true, true) => d.fd.map_or_else(String::new, |fd| format!(" (descriptor {fd})")),
    };
    let mut more = Vec::new();
    if !d.state.is_empty() {
        more.push(d.state.to_lowercase());
    }
    more.extend(d.receive_queue.map(|n| format!("{} unread", bytes(n))));
    more.extend(d.send_queue.map(|n| format!("{} unacknowledged", bytes(n))));
    if more.is_empty() { format!("{what}{ends}") } else { format!("{what}{ends} ({})", more.join(", ")) }
}

/// What a goroutine would do: `send on`, `receive from`, `lock`.
pub(super) fn operation(o: &WaitOperation) -> &'static str {
    match o {
        WaitOperation::Send => "send on",
        WaitOperation::Receive => "receive from",
        WaitOperation::Lock | WaitOperation::WriteLock => "lock",
        WaitOperation::ReadLock => "lock for reading",
        WaitOperation::WaitGroup => "see the end of",
        WaitOperation::CondWait => "be signalled at",
        WaitOperation::Sleep => "have slept",
        WaitOperation::Read => "read from",
        WaitOperation::Write => "write to",
        WaitOperation::Semaphore => "acquire",
        WaitOperation::SendOrReceive => "send on or receive from",
        WaitOperation::SendNil => "send on a channel that is nil",
        WaitOperation::ReceiveNil => "receive from a channel that is nil",
        WaitOperation::NoCases => "see the end of a select without cases",
        WaitOperation::AllNil => "see the end of a select whose channels are all nil",
        WaitOperation::ReadOrWrite => "read from or write to",
        WaitOperation::SystemCall => "return from a system call",
        WaitOperation::C => "return from C",
        WaitOperation::Collector => "go on after the collector",
        WaitOperation::Bubble => "see the others of its synctest bubble wait",
        WaitOperation::Coroutine => "be resumed as a coroutine",
        WaitOperation::Runtime => "go on in the runtime",
        WaitOperation::Unknown(_) => "go on with",
    }
}

/// A wait: `to send on an unbuffered channel of int`.
pub(super) fn wait(scene: &Scene<'_>, w: &Wait) -> String {
    match scene.object(w) {
        Some(o) => format!("to {} {}", operation(&w.operation), object(o)),
        None => format!("to {}{}", operation(&w.operation), if needs_object(&w.operation) { " something" } else { "" }),
    }
}

/// Whether what is done is done to something.
fn needs_object(o: &WaitOperation) -> bool {
    matches!(
        o,
        WaitOperation::Send
            | WaitOperation::Receive
            | WaitOperation::SendOrReceive
            | WaitOperation::Lock
            | WaitOperation::ReadLock
            | WaitOperation::WriteLock
            | WaitOperation::WaitGroup
            | WaitOperation::CondWait
            | WaitOperation::Read
            | WaitOperation::Write
            | WaitOperation::ReadOrWrite
            | WaitOperation::Semaphore
            | WaitOperation::Unknown(_)
    )
}

/// Whether a wait is for a descriptor that the poller watches.
pub(super) fn is_io(o: &WaitOperation) -> bool {
    matches!(o, WaitOperation::Read | WaitOperation::Write | WaitOperation::ReadOrWrite)
}

/// What a goroutine does now: `runs`, `waits in main.flush to send on a channel of int`.
pub(super) fn does(scene: &Scene<'_>, id: u64) -> String {
    let view = scene.view(id);
    let Some(seen) = scene.blocked_by_id(id) else {
        return match (view.runs, view.reason, scene.is_alive(id)) {
            (_, _, false) => "is not known any more".into(),
            (true, ..) => "runs".into(),
            (false, "", _) => "runs, or is in a system call".into(),
            (false, reason, _) => format!("waits ({reason})"),
        };
    };
    match seen.g.waits.as_slice() {
        [] if view.reason.is_empty() => "waits".into(),
        [] => format!("waits ({})", view.reason),
        [one] if one.operation == WaitOperation::Sleep => match seen.g.wakes_in_ns.filter(|ns| *ns > 0) {
            Some(ns) => format!("sleeps for {} more", seconds(ns as f64 / 1e9)),
            None => "sleeps".into(),
        },
        [one] => {
            let deadline = scene.object(one).and_then(|o| o.descriptor.as_ref()).and_then(|d| d.has_deadline);
            let deadline = match deadline {
                Some(false) => ", without a deadline",
                Some(true) => ", with a deadline",
                None => "",
            };
            format!("waits {}{deadline}", wait(scene, one))
        }
        many => format!("waits in a select of {}", plural(many.len() as u64, "case")),
    }
}

/// `goroutine 7 in main.flush`.
pub(super) fn goroutine(scene: &Scene<'_>, id: u64) -> String {
    match scene.view(id).at {
        Some(at) => format!("goroutine {id} in {}", at.function),
        None => format!("goroutine {id}"),
    }
}

/// `main.flush (svc/main.go:12)`.
pub(super) fn spot(s: &Spot) -> String {
    if s.file.is_empty() { s.function.clone() } else { format!("{} ({}:{})", s.function, short(&s.file), s.line) }
}

/// Who can wake a goroutine, in a clause.
pub(super) fn who_can_wake(wake_up: &WakeUp, by: &str) -> String {
    let named = |what: &str| if by.is_empty() { what.to_owned() } else { format!("{what} ({by})") };
    match wake_up {
        WakeUp::Nothing => "nothing that can still run leads to what it waits for".into(),
        WakeUp::OnlyGlobals => named("a package variable leads to what it waits for"),
        WakeUp::Reachable => named("somebody who can run leads to what it waits for"),
        WakeUp::OwnTimer => named("its own timer will wake it"),
        WakeUp::Outside => named("the world outside can wake it"),
        WakeUp::Unknown(_) => "who could wake it is not known".into(),
    }
}

/// A wait without its object: `to send`, `for a mutex`.
pub(super) fn wait_kind(w: &Wait) -> &'static str {
    match &w.operation {
        WaitOperation::Send => "to send on a channel",
        WaitOperation::Receive => "to receive from a channel",
        WaitOperation::Lock => "for a mutex",
        WaitOperation::ReadLock => "for a read lock",
        WaitOperation::WriteLock => "for a write lock",
        WaitOperation::WaitGroup => "for a WaitGroup",
        WaitOperation::CondWait => "for a condition variable",
        WaitOperation::Sleep => "for time to pass",
        WaitOperation::Read => "to read",
        WaitOperation::Write => "to write",
        WaitOperation::Semaphore => "for a semaphore",
        WaitOperation::SendOrReceive => "for a channel",
        WaitOperation::SendNil => "to send on a channel",
        WaitOperation::ReceiveNil => "to receive from a channel",
        WaitOperation::NoCases => "for nothing",
        WaitOperation::AllNil => "in a select whose channels are all nil",
        WaitOperation::ReadOrWrite => "for I/O",
        WaitOperation::SystemCall => "for a system call",
        WaitOperation::C => "for C",
        WaitOperation::Bubble => "for the others of its synctest bubble",
        WaitOperation::Coroutine => "to be resumed as a coroutine",
        WaitOperation::Runtime => "for the runtime",
        WaitOperation::Collector => "for the collector",
        WaitOperation::Unknown(_) => "for something",
    }
}
