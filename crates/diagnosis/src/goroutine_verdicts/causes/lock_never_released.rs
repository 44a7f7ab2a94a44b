//! A lock that nobody who is alive seems to hold. The page: `lock-never-released.md`.

use crate::rival::Rival;
use crate::units::plural;

use super::super::holders::is_free;
use super::super::verdict::Sureness;
use super::super::wait_graph::End;
use super::super::{holders, words};
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct LockNeverReleased;

impl Cause for LockNeverReleased {
    const INFO: RuleInfo = RuleInfo {
        code: "lock-never-released",
        title: "a lock was never released: its holder has returned, or has ended",
        doc: include_str!("lock-never-released.md"),
    };
    const CURE: &'static str = "See which way out of a function that locks what {place} waits for does not unlock it: an early return, a panic that is recovered, a branch; unlock with defer.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let chain = case.chain.as_ref()?;
        let (_, object) = case.seen.lock()?;
        let o = scene.blocked.objects.get(object)?;
        if chain.links.len() > 1 || chain.end != End::Unknown(object) || is_free(o) {
            return None;
        }
        let what = words::object(o);
        let several = holders::told(scene, object, None);
        if !several.is_empty() {
            let clause = format!(
                "{what} is locked; which of {} that may hold it does cannot be known",
                plural(several.len() as u64, "goroutine")
            );
            let rivals = vec![Rival::open("a lock that one of them holds", "what each of them does, beside its name")];
            return Some(Judged::sure(clause).with(Sureness::Possible, rivals).held_by(several));
        }
        let reading = o.lock.is_some_and(|l| !l.locked && l.readers > 0);
        let how = if reading { "locked for reading" } else { "locked" };
        let clause = format!(
            "{what} is {how}, and nobody who is alive shows a sign of holding it: either whoever locked it returned without unlocking it, or has ended, or its holder leaves no sign"
        );
        let rivals = vec![
            Rival::open(
                "one of those that wait locked it before (a double lock)",
                "where the functions on their stacks lock it",
            ),
            Rival::open(
                "a holder that leaves no sign",
                "Go's mutexes record no owner: who holds one without a deferred Unlock and without a pointer on its stack cannot be seen",
            ),
        ];
        Some(Judged::sure(clause).with(Sureness::Possible, rivals))
    }
}
