//! Who seems to hold a lock. Go's mutexes record no owner, so that all of this is inference from signs:
//! a call of `Unlock` that a goroutine has deferred, a pointer in the frames of who does not wait for it, a
//! method that was called by another of the same type.

use crate::facts::{BlockedGoroutine, Referrer, ReferrerPlace, WaitObject, WaitObjectKind, WaitOperation};
use crate::owner::{is_receiver_of, receiver};

use super::holds::{Holds, Sign};
use super::scene::{KindView, Scene, is_lock};
use super::thresholds::MAX_HOLDERS;
use super::verdict::Holder;
use super::words;

/// A scene in which it is noted who seems to hold each object.
pub(super) fn noted(mut scene: Scene<'_>) -> Scene<'_> {
    scene.holds = of_all(&scene);
    scene
}

/// Of each object who seems to hold it, the surest first.
fn of_all(scene: &Scene<'_>) -> Vec<Vec<Holds>> {
    let mut all: Vec<Vec<Holds>> = scene.blocked.objects.iter().map(|o| referrers(scene, o)).collect();
    for g in &scene.blocked.each {
        // A method that was called by another of its type, and waits for a lock of that type.
        let lock = g.waits.first().filter(|w| g.waits.len() == 1 && is_lock(&w.operation));
        if let Some(wait) = lock
            && let Some(object) = scene.object(wait)
            && let Some(outer) = outer_method(scene.view(g.id), g, object)
        {
            push(&mut all, wait.object.unwrap_or(u32::MAX) as usize, g.id, Sign::OuterMethod(outer));
        }
    }
    for (index, found) in above(scene).into_iter().enumerate() {
        // Where somebody else may hold it, code that locks is the lesser sign: it may lock something else.
        if let [(goroutine, function)] = found.as_slice()
            && all.get(index).is_some_and(Vec::is_empty)
        {
            push(&mut all, index, *goroutine, Sign::LocksAbove(function.clone()));
        }
    }
    for (index, holds) in all.iter_mut().enumerate() {
        know_who_reads_again(scene, index, holds);
    }
    for (holds, object) in all.iter_mut().zip(&scene.blocked.objects) {
        if is_free(object) {
            holds.clear();
        }
        holds.sort_by_key(|h| (std::cmp::Reverse(h.sureness()), h.goroutine));
        holds.dedup_by_key(|h| h.goroutine);
    }
    all
}

fn push(all: &mut [Vec<Holds>], index: usize, goroutine: u64, sign: Sign) {
    if let Some(holds) = all.get_mut(index) {
        holds.push(Holds { goroutine, sign });
    }
}

/// Whether nobody holds a lock: its words say so.
pub(super) fn is_free(object: &WaitObject) -> bool {
    object.lock.is_some_and(|l| !l.locked && l.readers == 0 && !l.writer)
}

fn referrers(scene: &Scene<'_>, object: &WaitObject) -> Vec<Holds> {
    if !matches!(object.kind, WaitObjectKind::Mutex | WaitObjectKind::RwMutex) {
        return Vec::new();
    }
    let deferred = object.referrers.iter().filter(|r| r.place == ReferrerPlace::Deferred && unlocks(r));
    let mut out: Vec<Holds> =
        deferred.map(|r| Holds { goroutine: r.goroutine, sign: Sign::DeferredUnlock(r.name.clone()) }).collect();
    let waits = |id: u64| {
        scene
            .blocked_by_id(id)
            .and_then(|s| s.only().and_then(|w| scene.object(w)))
            .is_some_and(|o| std::ptr::eq(o, object))
    };
    let frames = object.referrers.iter().filter(|r| r.place == ReferrerPlace::Frame && r.goroutine != 0);
    out.extend(
        frames
            .filter(|r| !waits(r.goroutine))
            .map(|r| Holds { goroutine: r.goroutine, sign: Sign::Pointer(r.name.clone()) }),
    );
    out
}

/// Whether a deferred call unlocks: `sync.(*Mutex).Unlock`, `main.(*cache).unlock`, the method value of it.
fn unlocks(r: &Referrer) -> bool {
    let name = r.name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let name = name.trim_end_matches("-fm");
    r.goroutine != 0 && name.ends_with("unlock")
}

/// Of each object those of its waiters of whom a function that has a pointer to it locks in a line above, or
/// has called what waits in such a line.
fn above(scene: &Scene<'_>) -> Vec<Vec<(u64, String)>> {
    let mut out = vec![Vec::new(); scene.blocked.objects.len()];
    for g in scene.blocked.each.iter().filter(|g| !g.locks_above.is_empty()) {
        let wait = g.waits.first().filter(|w| g.waits.len() == 1 && is_lock(&w.operation));
        let Some((index, object)) = wait.and_then(|w| Some((w.object? as usize, scene.object(w)?))) else { continue };
        // Where it unlocks something since, it may be that one, unless nobody else can ever have had this.
        let alone = object.referrers_total == object.referrers.len() as u64
            && object.referrers.iter().all(|r| r.goroutine == g.id);
        let has = |f: &&String| {
            let points = object.referrers.iter().any(|r| r.goroutine == g.id && r.name == **f);
            points && (alone || !g.unlocks_since.contains(f))
        };
        if let (Some(out), Some(function)) = (out.get_mut(index), g.locks_above.iter().find(has)) {
            out.push((g.id, function.clone()));
        }
    }
    out
}

/// Makes surer who reads a lock again that it has for reading, behind a writer: waiting readers of whom
/// another method of its type, further out, has locked in a line above and unlocked nothing since, where they
/// are as many as the lock says have it, and nobody who does not wait for it is in a method of that type: a
/// reader at work would be one more. (One that has left without RUnlock would be, too: that rival stays
/// open.)
fn know_who_reads_again(scene: &Scene<'_>, index: usize, holds: &mut [Holds]) {
    let of_readers = |o: &&WaitObject| o.kind == WaitObjectKind::RwMutex && !o.type_name.is_empty();
    let Some(object) = scene.blocked.objects.get(index).filter(of_readers) else { return };
    let Some(lock) = object.lock.filter(|l| l.writer && l.readers > 0) else { return };
    let reads_again = |h: &Holds| {
        let reader = scene.blocked_by_id(h.goroutine).filter(|s| s.does(&WaitOperation::ReadLock));
        matches!(h.sign, Sign::OuterMethod(_)) && reader.is_some_and(|s| s.g.code_was_read)
    };
    let of_type = |f: &str| receiver(f).is_some_and(|r| is_receiver_of(r, object.type_name.trim_start_matches('*')));
    if holds.iter().filter(|h| reads_again(h)).count() as u64 != lock.readers || scene.is_another_in(index, of_type) {
        return;
    }
    for h in holds.iter_mut().filter(|h| reads_again(h)) {
        if let Sign::OuterMethod(function) = &h.sign {
            h.sign = Sign::ReadsAgain(function.clone());
        }
    }
}

/// Whether a method further out on a goroutine's stack is of the type of the one that waits for a lock:
/// where that has locked it, the wait is for itself.
pub(super) fn has_outer_method(scene: &Scene<'_>, id: u64, object: usize) -> bool {
    let object = scene.blocked.objects.get(object);
    let seen = scene.blocked_by_id(id);
    seen.zip(object).is_some_and(|(seen, o)| outer_method(seen.view, seen.g, o).is_some())
}

/// The next method outwards of the type whose method waits, another one than that; where the lock is part of
/// an object of known type, of that type alone; and where its code could be read, one that locks before it
/// calls.
fn outer_method(view: &KindView<'_>, g: &BlockedGoroutine, object: &WaitObject) -> Option<String> {
    let own = view.stack.iter().skip_while(|f| view.at != Some(**f));
    let mut own = own.map(|f| f.function.as_str());
    let inner = own.next()?;
    let of = receiver(inner)?;
    let fits = object.type_name.is_empty() || is_receiver_of(of, object.type_name.trim_start_matches('*'));
    let is_in = |list: &[String], f: &str| list.iter().any(|l| l == f);
    let locks = |f: &str| !g.code_was_read || is_in(&g.locks_above, f) && !is_in(&g.unlocks_since, f);
    let outer = own.find(|f| receiver(f) == Some(of) && *f != inner && locks(f))?;
    fits.then(|| outer.to_owned())
}

/// Holders in words, the surest first; of many the first few.
pub(super) fn told(scene: &Scene<'_>, object: usize, but: Option<u64>) -> Vec<Holder> {
    let all = scene.holds(object);
    let surest = all.first().map(Holds::sureness);
    let some = all.iter().filter(|h| Some(h.sureness()) == surest && Some(h.goroutine) != but);
    some.take(MAX_HOLDERS).map(|h| holder(scene, h)).collect()
}

/// A holder in words.
pub(super) fn holder(scene: &Scene<'_>, h: &Holds) -> Holder {
    Holder {
        goroutine: h.goroutine,
        function: scene.view(h.goroutine).at.map(|f| f.function.clone()).unwrap_or_default(),
        does: words::does(scene, h.goroutine),
        sign: h.sign(),
        sureness: h.sureness(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deferred_calls_that_unlock() {
        let r = |name: &str, goroutine| Referrer { name: name.into(), goroutine, ..Referrer::default() };
        for name in ["sync.(*Mutex).Unlock", "sync.(*RWMutex).RUnlock", "sync.(*Mutex).Unlock-fm", "main.(*c).unlock"] {
            assert!(unlocks(&r(name, 7)), "{name}");
        }
        assert!(!unlocks(&r("sync.(*Mutex).Unlock", 0)) && !unlocks(&r("main.(*c).close", 7)));
    }
}
