//! Causes of an incident, each with its log-odds term by term: what speaks for it and what against it.
//! Nothing is learnt; every weight stands in [`weights`] with its reason.
//!
//! One file a kind of cause looks at the [`Scene`] and at nothing else.

mod capacity;
mod cause;
pub(crate) mod changes;
mod climbing;
mod filled;
mod inside;
mod lived_with;
mod names;
mod outside;
mod pace;
mod published;
mod released;
mod scene;
mod seen;
pub(crate) mod weights;

pub use cause::{Cause, Kind, Term};
pub(crate) use scene::Scene;

pub(crate) use names::{is_of_the_collector, overlap as key_overlap, words as key_words};

/// Every cause that anything speaks for, ranked; confidences are shares among all of them and the unknown.
#[must_use]
pub(crate) fn causes(scene: &Scene<'_>) -> Vec<Cause> {
    let mut all = published::causes(scene);
    all.extend(released::causes(scene));
    all.extend(outside::causes(scene));
    let mut inside = inside::causes(scene);
    inside.extend(climbing::causes(scene));
    brought(&all, &mut inside);
    set_off(&all, &mut inside);
    all.extend(inside);
    let mut ranked = rank(all);
    if scene.is_alive() && scene.captures.is_empty() {
        ranked.iter_mut().for_each(|c| c.confidence = c.confidence.min(weights::UNSEEN));
    }
    ranked
}

/// What is wrong inside may have come with a version: then that is what there is to roll back, and the kind
/// of wrong is said in its terms.
fn brought(all: &[Cause], inside: &mut [Cause]) {
    let says = |t: &Term| matches!(t.name, "who died" | "before and after") && t.log_odds > 0.0;
    // What set off a place that its processes had not used is more than the release.
    let by_itself = |c: &&Cause| !c.terms.iter().any(|t| t.name == "ran without it");
    let is_release = |c: &&Cause| c.kind == Kind::Release && c.terms.iter().any(says);
    let Some(r) = all.iter().filter(by_itself).find(is_release) else { return };
    // Which of them it was is one cause: it must itself be likelier than not.
    if r.terms.iter().map(|t| t.log_odds).sum::<f64>() <= 0.0 {
        return;
    }
    let kinds = [Kind::Leak, Kind::GoroutineLeak, Kind::OffHeap, Kind::CodePath];
    for c in inside.iter_mut().filter(|c| kinds.contains(&c.kind)) {
        c.term("release", weights::BROUGHT, format!("it came with release {}", r.key));
    }
}

/// A path in the code that nobody knows what set it off: a publication that is as large as that did, if it is
/// likelier than not.
fn set_off(all: &[Cause], inside: &mut [Cause]) {
    let explains = |c: &&Cause| {
        let by_bytes = c.terms.iter().any(|t| t.name == "bytes" && t.log_odds > 0.0);
        c.kind == Kind::Config && by_bytes && c.terms.iter().map(|t| t.log_odds).sum::<f64>() > 0.0
    };
    let Some(published) = all.iter().find(explains) else { return };
    for c in inside.iter_mut().filter(|c| c.kind == Kind::CodePath) {
        c.term("set off", weights::BROUGHT, format!("it met what was published as {}", published.key));
    }
}

fn rank(mut all: Vec<Cause>) -> Vec<Cause> {
    for c in &mut all {
        c.log_odds = c.terms.iter().map(|t| t.log_odds).sum::<f64>().clamp(-20.0, 20.0);
    }
    all.sort_by(|a, b| {
        let by = b.log_odds.total_cmp(&a.log_odds).then(b.decisive.cmp(&a.decisive));
        by.then(a.kind.cmp(&b.kind)).then_with(|| a.key.cmp(&b.key))
    });
    // The unknown has log-odds of 0: it wins where nothing speaks for anything.
    let sum: f64 = 1.0 + all.iter().map(|c| c.log_odds.exp()).sum::<f64>();
    for c in &mut all {
        let share = c.log_odds.exp() / sum;
        c.confidence = if c.decisive { share.min(weights::MOST) } else { share.min(weights::UNDECIDED) };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(kind: Kind, evidence: f64, decisive: bool) -> Cause {
        let mut c = Cause { decisive, ..Cause::new(kind, "x", 0.0) };
        c.term("t", evidence, "");
        c
    }

    #[test]
    fn two_that_are_alike_share_and_only_the_decisive_is_sure() {
        let got = rank(vec![cause(Kind::Release, 3.0, true), cause(Kind::Config, 3.0, true)]);
        assert!(got.iter().all(|c| (0.45..0.5).contains(&c.confidence)));
        let alone = rank(vec![cause(Kind::Leak, 9.0, false)]);
        assert!((alone[0].confidence - weights::UNDECIDED).abs() < 1e-9 && alone[0].confidence < 0.8);
        assert!(rank(vec![cause(Kind::Leak, 9.0, true)])[0].confidence > 0.9);
        let weak = rank(vec![cause(Kind::Leak, -2.0, true)]);
        assert!(weak[0].confidence < 0.2, "the unknown is likelier");
    }
}
