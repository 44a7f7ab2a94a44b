//! Who waits for whom: from a goroutine over the lock that it waits for to who seems to hold that, and on,
//! to the end of the chain or around a ring.

use super::holds::Holds;
use super::scene::{Scene, Seen};
use super::thresholds::MAX_CHAIN;
use super::verdict::Sureness;

/// A goroutine and the lock that it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) goroutine: u64,
    /// Index of the object.
    pub(super) object: usize,
}

/// A chain of goroutines that wait for locks of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// From the goroutine that it begins with.
    pub(super) links: Vec<Link>,
    pub(super) end: End,
    /// That of its weakest link.
    pub(super) sureness: Sureness,
}

/// Where a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In a ring: the last holder is the goroutine of that link.
    Ring(usize),
    /// With a goroutine that is blocked by something else than a lock.
    Blocked(u64),
    /// With a goroutine that is not blocked.
    Runs(u64),
    /// With a lock of which nobody seems to be the holder, or of which several may be.
    Unknown(usize),
}

impl Chain {
    /// From a goroutine that waits for a lock; `None` for others.
    pub(super) fn of(scene: &Scene<'_>, from: &Seen<'_>) -> Option<Self> {
        let (_, object) = from.lock()?;
        let mut links = vec![Link { goroutine: from.g.id, object }];
        let (mut seen, mut object) = (*from, object);
        let mut sureness = Sureness::Probable;
        for _ in 0..MAX_CHAIN {
            let Some(holds) = holder(scene, &seen, object) else {
                return Some(Self { links, end: End::Unknown(object), sureness });
            };
            sureness = sureness.min(holds.sureness());
            let id = holds.goroutine;
            if let Some(at) = links.iter().position(|l| l.goroutine == id) {
                return Some(Self { links, end: End::Ring(at), sureness });
            }
            let Some(next) = scene.blocked_by_id(id) else {
                return Some(Self { links, end: End::Runs(id), sureness });
            };
            let Some((_, waits_for)) = next.lock() else {
                return Some(Self { links, end: End::Blocked(id), sureness });
            };
            links.push(Link { goroutine: id, object: waits_for });
            (seen, object) = (next, waits_for);
        }
        Some(Self { links, end: End::Unknown(object), sureness })
    }

    /// The links of the ring; empty where it does not end in one.
    pub(super) fn ring(&self) -> &[Link] {
        match self.end {
            End::Ring(at) => self.links.get(at..).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Whether the goroutine that it begins with is part of the ring.
    pub(super) fn is_in_ring(&self) -> bool {
        self.end == End::Ring(0)
    }
}

/// Who seems to hold what a goroutine waits for: the surest; of several that are no more than possible
/// nobody.
pub(super) fn holder<'a>(scene: &'a Scene<'_>, of: &Seen<'_>, object: usize) -> Option<&'a Holds> {
    let all = scene.holds(object);
    let surest = all.first()?.sureness();
    let mut best = all.iter().take_while(|h| h.sureness() == surest);
    if surest == Sureness::Possible {
        // Who waits for another lock is the more likely of several: those that run give theirs back.
        let of_locks =
            |h: &&Holds| h.goroutine == of.g.id || scene.blocked_by_id(h.goroutine).is_some_and(|s| s.lock().is_some());
        return only(best.clone().filter(of_locks)).or_else(|| only(best));
    }
    // Several readers may hold it. Who waits for it himself is told first, since that one will not end; then
    // who is blocked at all.
    let itself = all.iter().take_while(|h| h.sureness() == surest).find(|h| h.goroutine == of.g.id);
    let all = || all.iter().take_while(|h| h.sureness() == surest);
    itself
        .or_else(|| all().find(|h| scene.blocked_by_id(h.goroutine).is_some_and(|s| s.lock().is_some())))
        .or_else(|| all().find(|h| scene.blocked_by_id(h.goroutine).is_some()))
        .or_else(|| best.next())
}

/// The one of an iterator of one.
fn only<'a>(mut of: impl Iterator<Item = &'a Holds>) -> Option<&'a Holds> {
    of.next().filter(|_| of.next().is_none())
}
