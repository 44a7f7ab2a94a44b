//! What goroutines wait for, as facts.

use lastgasp_diagnosis::facts::{Descriptor, LockState, WaitObject, WaitObjectKind};
use lastgasp_goruntime::waits::{Awaited, Channel, PollState, RwMutexState, Waiting, What};

/// All of them, in their order: goroutines name them by index. `now` is the runtime's clock.
pub(super) fn all(waiting: &Waiting, now: Option<i64>) -> Vec<WaitObject> {
    waiting.objects.iter().map(|o| one(o, now)).collect()
}

/// When a timer wakes whoever waits for it, on the runtime's clock.
pub(super) fn fires_at(object: &Awaited) -> Option<i64> {
    match &object.what {
        What::Channel(c) => c.timer?.when_ns,
        What::Descriptor(d) => d.deadline_ns,
        _ => None,
    }
}

fn one(object: &Awaited, now: Option<i64>) -> WaitObject {
    let with = |kind| WaitObject {
        kind,
        address: object.at.0,
        waiters: object.waiters,
        part_of: object.part_of.to_owned(),
        ..WaitObject::default()
    };
    match &object.what {
        What::Channel(c) => WaitObject { waiters: 0, ..channel(c, with(WaitObjectKind::Channel), now) },
        What::Mutex(state) => WaitObject {
            lock: state.map(|m| LockState { locked: m.locked, ..LockState::default() }),
            ..with(WaitObjectKind::Mutex)
        },
        What::RwMutex(state) => WaitObject { lock: state.map(rw_lock), ..with(WaitObjectKind::RwMutex) },
        What::WaitGroup(state) => {
            WaitObject { missing_done: state.map(|w| w.missing), ..with(WaitObjectKind::WaitGroup) }
        }
        What::Cond => with(WaitObjectKind::Cond),
        What::Descriptor(poll) => {
            WaitObject { descriptor: Some(descriptor(poll, now)), ..with(WaitObjectKind::Descriptor) }
        }
        What::Semaphore => with(WaitObjectKind::Semaphore),
    }
}

fn channel(c: &Channel, into: WaitObject, now: Option<i64>) -> WaitObject {
    WaitObject {
        type_name: c.element_type.to_string(),
        length: c.len,
        capacity: c.cap,
        closed: c.closed,
        is_timer: c.timer.is_some(),
        timer_in_ns: c.timer.and_then(|t| t.when_ns).zip(now).map(|(at, now)| at.saturating_sub(now)),
        timer_period_ns: c.timer.map_or(0, |t| t.period_ns.max(0).unsigned_abs()),
        senders: c.senders,
        receivers: c.receivers,
        ..into
    }
}

fn rw_lock(state: RwMutexState) -> LockState {
    LockState {
        locked: state.writers.locked,
        readers: state.readers,
        waiting_readers: state.waiting_readers,
        writer: state.writer,
    }
}

fn descriptor(poll: &PollState, now: Option<i64>) -> Descriptor {
    Descriptor {
        fd: i64::try_from(poll.fd).ok(),
        has_deadline: Some(poll.deadline_ns.is_some() || poll.is_over),
        deadline_in_ns: poll.deadline_ns.zip(now).map(|(at, now)| at.saturating_sub(now)),
        ..Descriptor::default()
    }
}
