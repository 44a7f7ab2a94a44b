//! A read lock that is taken again by who has it, with a writer waiting in between. The page: `read-lock-recursion.md`.

use crate::facts::{WaitObjectKind, WaitOperation};
use crate::rival::Rival;

use super::super::{holders, words};
use super::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct ReadLockRecursion;

impl Cause for ReadLockRecursion {
    const INFO: RuleInfo = RuleInfo {
        code: "read-lock-recursion",
        title: "a read lock is taken again by who holds it, and a writer waits in between",
        doc: include_str!("read-lock-recursion.md"),
    };
    const CURE: &'static str = "Do not call what takes the read lock again from {place} while it is held: split it into an outer function that locks and an inner one that expects the lock.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let chain = case.chain.as_ref()?;
        let (_, object) = case.seen.lock()?;
        let [reader] = chain.ring() else { return None };
        let o = scene.blocked.objects.get(object)?;
        let pending = o.kind == WaitObjectKind::RwMutex && o.lock.is_some_and(|l| l.readers > 0 && l.writer);
        let reads = scene.blocked_by_id(reader.goroutine)?.does(&WaitOperation::ReadLock);
        if !pending || !reads || reader.object != object {
            return None;
        }
        let who = words::goroutine(scene, reader.goroutine);
        let clause = format!(
            "{who} seems to hold {} for reading and would read it again, behind a writer that waits for its first read to end",
            words::object(o)
        );
        let holders = holders::told(scene, object, None);
        let rivals = vec![Rival::open(
            "a reader that left without RUnlock",
            "whether the function further out on the stack of that reader took the read lock",
        )];
        Some(Judged::sure(clause).with(chain.sureness, rivals).held_by(holders))
    }
}
