//! The tier of a goroutine: what is proved, what is suspected, what waits for the world, what is well.
//!
//! Proved is said of one thing alone: nothing that can still run leads to what it waits for, in a graph that
//! has no gap which could matter. A ring of locks that package variables or running goroutines reach is not
//! proved, sure as it looks: who holds a lock is inference, and Go lets any goroutine unlock a mutex. It is
//! suspect, growing or not, and its sentence says what would end it.

use crate::facts::{WaitOperation, WakeUp};

use super::causes::{Case, asks_without_deadline, is_idle, reads_body};
use super::growing::Growth;
use super::holders::{has_outer_method, is_free};
use super::scene::{Scene, Seen};
use super::thresholds::{ALONE_MANY, LOCK_AGE_NS, SUSPECT_AGE_NS};
use super::tier::Tier;
use super::verdict::Sureness;
use super::wait_graph::End;
use super::words;

/// The tier of a goroutine.
pub(super) fn tier(scene: &Scene<'_>, growth: &Growth<'_>, case: &Case<'_>) -> Tier {
    let seen = &case.seen;
    match seen.reason() {
        // The first goroutine waits so on purpose where others do the work.
        "select (no cases)" if seen.g.id == 1 => return Tier::Healthy,
        "select (no cases)" | "chan send (nil chan)" | "chan receive (nil chan)" => return Tier::Proved,
        _ if seen.does(&WaitOperation::AllNil) => return Tier::Proved,
        _ => {}
    }
    // Whoever gave it back has woken the next.
    if seen.lock().is_some_and(|(_, o)| scene.blocked.objects.get(o).is_some_and(is_free)) {
        return Tier::Healthy;
    }
    match seen.g.wake_up {
        WakeUp::Nothing if scene.blocked.no_proof.is_empty() => return Tier::Proved,
        WakeUp::Nothing => return Tier::Suspect,
        WakeUp::OwnTimer => return own_timer(scene, seen),
        WakeUp::Outside => return outside(scene, seen),
        _ => {}
    }
    if let Some(tier) = of_chain(scene, case) {
        return tier;
    }
    if behind_stalled_consumer(scene, seen) || asks_without_deadline(scene, seen).is_some() {
        return Tier::Stalled;
    }
    let old = seen.g.waited_ns_at_least >= SUSPECT_AGE_NS;
    let only_globals = seen.g.wake_up == WakeUp::OnlyGlobals;
    if old && (only_globals || reads_body(seen)) && growth.is_growing(seen.view) {
        Tier::Suspect
    } else {
        Tier::Healthy
    }
}

/// What the chain of locks makes of one that somebody could wake.
fn of_chain(scene: &Scene<'_>, case: &Case<'_>) -> Option<Tier> {
    let chain = case.chain.as_ref()?;
    let probable = chain.sureness >= Sureness::Probable;
    match chain.end {
        // That somebody stalls accuses nobody: who may hold the lock is enough.
        End::Ring(_) if !probable => None,
        // One goroutine alone may have deferred Unlock before it locks, and wait for another that sleeps
        // (seen in a healthy idiom of the lab: `unlock-deferred-first`). Its age alone does not tell; a
        // method of the same type further out on its stack must have called the one that waits.
        End::Ring(_) if chain.ring().len() == 1 => {
            let link = chain.ring().first()?;
            let old = scene.blocked_by_id(link.goroutine)?.g.waited_ns_at_least >= LOCK_AGE_NS;
            (old && has_outer_method(scene, link.goroutine, link.object)).then_some(Tier::Suspect)
        }
        End::Ring(_) => Some(Tier::Suspect),
        End::Blocked(id) => {
            let end = scene.blocked_by_id(id)?;
            match end.g.wake_up {
                WakeUp::Nothing => Some(Tier::Suspect).filter(|_| probable),
                WakeUp::Outside => Some(outside(scene, &end)).filter(|t| *t == Tier::Stalled),
                _ => None,
            }
        }
        End::Runs(_) | End::Unknown(_) => None,
    }
}

/// Whether the one consumer of a full channel waits for the world without a deadline.
fn behind_stalled_consumer(scene: &Scene<'_>, seen: &Seen<'_>) -> bool {
    let send = seen.only().filter(|w| w.operation == WaitOperation::Send);
    let Some(o) = send.and_then(|w| scene.object(w)) else { return false };
    let mut others = scene.others_with(o);
    let Some(consumer) = others.next().filter(|_| others.next().is_none()) else { return false };
    scene.blocked_by_id(consumer).is_some_and(|c| c.g.wake_up == WakeUp::Outside && outside(scene, &c) == Tier::Stalled)
}

/// A ticker that nothing else leads to is for ever; a timer that sends once is a way out that comes.
fn own_timer(scene: &Scene<'_>, seen: &Seen<'_>) -> Tier {
    let timers = seen.g.waits.iter().filter(|w| w.operation == WaitOperation::Receive).filter_map(|w| scene.object(w));
    let timers: Vec<_> = timers.filter(|o| o.is_timer).collect();
    let ticks = !timers.is_empty() && timers.iter().all(|o| o.timer_period_ns > 0);
    // A loop over a ticker alone is what most programs do something regularly by. Of those that are one of
    // many, each with a state that nobody else sees, the owners are gone.
    let many_alone = seen.g.for_itself && seen.view.for_themselves >= ALONE_MANY;
    let is_meant = timers.len() == seen.g.waits.len() && !many_alone;
    if ticks && !is_meant { Tier::Immortal } else { Tier::Healthy }
}

/// I/O without a deadline stalls, but where it is meant to last.
fn outside(scene: &Scene<'_>, seen: &Seen<'_>) -> Tier {
    let wait = seen.only().filter(|w| words::is_io(&w.operation));
    let descriptor = wait.and_then(|w| scene.object(w)).and_then(|o| o.descriptor.as_ref());
    // Whoever has the other end of a pipe within the process is no part of the outside.
    let endless = descriptor.is_some_and(|d| d.has_deadline == Some(false) && !d.peer_within);
    // Without its stack nobody can tell what it is.
    if endless && seen.view.whole && !is_idle(seen) { Tier::Stalled } else { Tier::Healthy }
}
