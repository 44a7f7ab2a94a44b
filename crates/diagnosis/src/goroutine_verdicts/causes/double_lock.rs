//! A goroutine that waits for a lock which it has itself. The page: `double-lock.md`.

use crate::facts::WakeUp;
use crate::rival::Rival;

use super::super::verdict::{Holder, Sureness};
use super::super::{holders, words};
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct DoubleLock;

impl Cause for DoubleLock {
    const INFO: RuleInfo = RuleInfo {
        code: "double-lock",
        title: "a goroutine locks what it has locked already",
        doc: include_str!("double-lock.md"),
    };
    const CURE: &'static str = "Unlock before {place} locks again, or split it into an outer function that locks and an inner one that expects the lock: Go's mutexes cannot be locked twice by one goroutine.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let chain = case.chain.as_ref()?;
        let (_, object) = case.seen.lock()?;
        let o = scene.blocked.objects.get(object)?;
        let what = words::object(o);
        let never = |tell: &str| Rival::open("a function that locked it and returned without Unlock", tell.to_owned());
        if chain.is_in_ring() && chain.ring().len() == 1 {
            let own = scene.holds(object).iter().find(|h| h.goroutine == case.seen.g.id)?;
            let verb = if own.sureness() == Sureness::Probable { "seems to" } else { "may" };
            let clause = format!("it {verb} have locked {what} itself already ({})", own.sign());
            let judged = Judged::sure(clause).held_by(vec![holders::holder(scene, own)]);
            return Some(judged.with(own.sureness(), vec![never("where the function further out locks it")]));
        }
        // Nobody else knows it.
        let alone = o.waiters <= 1
            && o.way.is_empty()
            && !o.referrers.is_empty()
            && o.referrers_total == o.referrers.len() as u64
            && o.referrers.iter().all(|r| r.goroutine == case.seen.g.id);
        let mut functions: Vec<&str> = o.referrers.iter().map(|r| r.name.as_str()).collect();
        functions.sort_unstable();
        functions.dedup();
        // Where the code could be read, and locks nothing before, it has not.
        if case.seen.g.wake_up != WakeUp::Nothing || !alone || case.seen.g.code_was_read {
            return None;
        }
        let clause = format!(
            "no other goroutine that is alive has a pointer to {what}: it may have locked it itself already, in {}",
            functions.join(" or ")
        );
        let itself = Holder {
            goroutine: case.seen.g.id,
            function: case.seen.view.at.map(|f| f.function.clone()).unwrap_or_default(),
            does: words::does(scene, case.seen.g.id),
            sign: "it alone has a pointer to it".to_owned(),
            sureness: Sureness::Possible,
        };
        let rivals = vec![never("where those functions lock it")];
        Some(Judged::sure(clause).with(Sureness::Possible, rivals).held_by(vec![itself]))
    }
}
