//! A WaitGroup whose counter does not come down. The page: `missing-done.md`.

use crate::facts::{Referrer, ReferrerPlace, WaitOperation};
use crate::rival::Rival;
use crate::units::count;

use super::super::thresholds::MAX_HOLDERS;
use super::super::verdict::{Holder, Sureness};
use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct MissingDone;

impl Cause for MissingDone {
    const INFO: RuleInfo = RuleInfo {
        code: "missing-done",
        title: "calls of Done are missing from a WaitGroup",
        doc: include_str!("missing-done.md"),
    };
    const CURE: &'static str = "See which way out of the goroutines that {place} waits for does not call Done: an early return, a panic, an Add too many; call it with defer, first of all.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let wait = case.seen.only().filter(|w| w.operation == WaitOperation::WaitGroup)?;
        let o = scene.object(wait)?;
        let missing = o.missing_done.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0)?;
        let calls = if missing == 1 {
            "1 call of Done is missing".to_owned()
        } else {
            format!("{} calls of Done are missing", count(missing))
        };
        let own = case.seen.g.id;
        // A struct may have a mutex beside it, and a call that unlocks that may be deferred.
        let will = |r: &&Referrer| {
            r.goroutine != 0 && r.place == ReferrerPlace::Deferred && !r.name.to_lowercase().ends_with("unlock")
        };
        // That one waits for itself is said only where the call can be nothing else.
        let is_done = |r: &Referrer| r.name.ends_with("sync.(*WaitGroup).Done");
        let mut owe: Vec<u64> = o.referrers.iter().filter(will).map(|r| r.goroutine).collect();
        owe.sort_unstable();
        owe.dedup();
        let others: Vec<u64> = scene.others_with(o).collect();
        let holder = |id: u64, sign: &str, sureness| Holder {
            goroutine: id,
            function: scene.view(id).at.map(|f| f.function.clone()).unwrap_or_default(),
            does: words::does(scene, id),
            sign: sign.to_owned(),
            sureness,
        };
        let deferred = "a deferred call of it has the WaitGroup";
        let mut holders: Vec<Holder> =
            owe.iter().filter(|id| **id != own).map(|id| holder(*id, deferred, Sureness::Probable)).collect();
        if holders.is_empty() {
            holders
                .extend(others.iter().map(|id| holder(*id, "it has a pointer to the WaitGroup", Sureness::Possible)));
        }
        holders.truncate(MAX_HOLDERS);
        let owes_itself = o.referrers.iter().filter(will).any(|r| r.goroutine == own && is_done(r));
        let clause = match (owes_itself, holders.first()) {
            (true, _) => format!("{calls}, one of them its own: it waits for itself"),
            (_, Some(h)) if h.sureness == Sureness::Probable => {
                format!("{calls}; goroutine {} in {} has one deferred, and {}", h.goroutine, h.function, h.does)
            }
            (_, Some(h)) => format!("{calls}; goroutine {} in {} may owe one, and {}", h.goroutine, h.function, h.does),
            (_, None) => format!("{calls}, and nobody who is alive has a pointer to it: those who owe them have ended"),
        };
        let rivals = vec![Rival::open(
            "an Add too many, or one that ran after Wait had begun",
            "where Add is called: the counter is exact, and who added to it is not recorded",
        )];
        Some(Judged::sure(clause).with(Sureness::Sure, rivals).held_by(holders))
    }
}
