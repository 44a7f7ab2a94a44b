//! A lock whose holder is blocked itself. The page: `lock-held-by-blocked.md`.

use crate::rival::Rival;
use crate::units::plural;

use super::super::verdict::Sureness;
use super::super::wait_graph::{End, holder};
use super::super::{holders, words};
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct LockHeldByBlocked;

impl Cause for LockHeldByBlocked {
    const INFO: RuleInfo = RuleInfo {
        code: "lock-held-by-blocked",
        title: "a lock is held by a goroutine that is blocked itself",
        doc: include_str!("lock-held-by-blocked.md"),
    };
    const CURE: &'static str = "Do not wait for anything while the lock that {place} needs is held: take what is to be sent or fetched out from under the lock first, and give the wait a way out.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let chain = case.chain.as_ref()?;
        let (_, object) = case.seen.lock()?;
        let held = holder(scene, &case.seen, object).filter(|h| h.goroutine != case.seen.g.id)?;
        let does = words::does(scene, held.goroutine);
        let verb = if held.sureness() == Sureness::Probable { "seems to hold" } else { "may hold" };
        let end = match chain.end {
            // Who runs will give it back.
            End::Runs(_) => return None,
            End::Ring(_) => "; that is part of a ring of locks".to_owned(),
            End::Blocked(id) if id != held.goroutine => format!(
                "; at the end of that chain of {} {} {}",
                plural(chain.links.len() as u64, "lock"),
                words::goroutine(scene, id),
                words::does(scene, id)
            ),
            End::Blocked(_) => String::new(),
            End::Unknown(_) if chain.links.len() > 1 => "; who holds that one cannot be known".to_owned(),
            End::Unknown(_) => return None,
        };
        let what = scene.blocked.objects.get(object).map_or_else(String::new, words::object);
        let who = words::goroutine(scene, held.goroutine);
        let clause = format!("{who} {verb} {what}, and {does}{end}");
        let rivals = vec![Rival::open(
            "a lock that another goroutine left locked",
            "the sign beside the holder: Go's mutexes record no owner",
        )];
        Some(Judged::sure(clause).with(chain.sureness, rivals).held_by(holders::told(
            scene,
            object,
            Some(case.seen.g.id),
        )))
    }
}
