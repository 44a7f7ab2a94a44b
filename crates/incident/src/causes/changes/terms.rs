//! Terms of a change: time, scope, name, company.

use std::collections::BTreeSet;

use lastgasp_diagnosis::units::{plural, seconds};

use crate::causes::Scene;
use crate::causes::weights::{
    AFTER_THE_FACT, EARLY_IN_IT, NAME, OTHERS_NEAR, OTHERS_NEAR_MOST, OUT_OF_SCOPE, SCOPE, TIME, TIME_HALF_MS,
};
use crate::causes::{Cause, Term};
use crate::evidence::{Change, ChangeKind};

/// Clocks of two machines are taken to differ by no more than this.
const CLOCKS_MS: i64 = 2_000;
/// Changes within this time of each other are near.
const NEAR_MS: i64 = 30 * 60_000;

/// How near in time it was, before memory grew; or that it came after.
pub(crate) fn time(scene: &Scene<'_>, change: &Change) -> Term {
    let at = scene.first_told(change);
    let before = scene.before_onset(at);
    if before < -CLOCKS_MS {
        let known = scene.onset_is_known;
        let by = seconds(before.unsigned_abs() as f64 / 1e3);
        // Two things may have come one after the other, the lesser first (seen in lab/cluster: a large list
        // that is shared, and three seconds later the one that every request copies). As far as clocks tell:
        // a feed says it a moment after who reads it. (Seen in lab/cluster: a list grew twice, memory with
        // it each time, and the store told of the second 0.4 s after a third was there.)
        if at < scene.third.saturating_add(CLOCKS_MS) {
            let text = format!("{by} after memory had begun to grow, and before most of the growth was there");
            return Term { name: "time", log_odds: EARLY_IN_IT, text };
        }
        let what = if known { "memory had begun to grow" } else { "it was first seen to grow" };
        let log_odds = if known { AFTER_THE_FACT } else { AFTER_THE_FACT / 2.0 };
        return Term { name: "time", log_odds, text: format!("{by} after {what}: no cause of it") };
    }
    // After it, by no more than clocks differ by: then its time says nothing for it, and the less if somebody
    // had died already. (Seen in lab/cluster: a harmless list that was published two seconds after a canary
    // had begun to leak was taken for the cause.)
    if before < 0 {
        let (after, what, log_odds) = if at > scene.between.0 {
            (scene.between.0, "the first of them was killed", EARLY_IN_IT)
        } else {
            (scene.onset, "memory had begun to grow", 0.0)
        };
        let by = seconds(at.abs_diff(after) as f64 / 1e3);
        return Term { name: "time", log_odds, text: format!("{by} after {what}: two clocks may differ by as much") };
    }
    let near = (-(before as f64) / TIME_HALF_MS).exp();
    Term {
        name: "time",
        log_odds: TIME * near,
        text: {
            // Between two samples: how long before is then known to that.
            let at_most = if at > scene.grew_from { "at most " } else { "" };
            format!("{at_most}{} before memory grew", seconds(before as f64 / 1e3))
        },
    }
}

/// Who it reached, against who died.
pub(crate) fn scope(scene: &Scene<'_>, change: &Change) -> Term {
    let none = |text: &str| Term { name: "scope", log_odds: 0.0, text: text.to_owned() };
    let s = &change.scope;
    if s.is_unknown() {
        return none("whom it reached was not said");
    }
    if !s.services.is_empty() && !s.services.iter().any(|name| name == scene.service) {
        // Of a dependency that is so by its nature.
        if change.kind == ChangeKind::Dependency {
            return none("of a service that is called");
        }
        let text = format!("it reached {} and not {}", s.services.join(", "), scene.service);
        return Term { name: "scope", log_odds: OUT_OF_SCOPE, text };
    }
    let first_wave = scene.dead.iter();
    let index = |said: &[String], of: &dyn Fn(&crate::evidence::Generation) -> String| -> Option<(f64, usize, usize)> {
        let touched: BTreeSet<String> = said.iter().cloned().collect();
        let died: BTreeSet<String> = first_wave.clone().map(|l| of(&l.of)).filter(|n| !n.is_empty()).collect();
        if touched.is_empty() || died.is_empty() {
            return None;
        }
        let both = touched.intersection(&died).count();
        Some((both as f64 / touched.union(&died).count().max(1) as f64, both, died.len()))
    };
    let by = [
        ("instances", index(&s.instances, &|g| g.instance.clone())),
        ("data centres", index(&s.data_centres, &|g| g.place.data_centre.clone())),
        ("nodes", index(&s.nodes, &|g| g.place.node.clone())),
    ];
    let known = by.iter().find_map(|(name, i)| Some((*name, (*i)?)));
    match known {
        Some((name, (_, 0, of))) => Term {
            name: "scope",
            log_odds: OUT_OF_SCOPE,
            text: format!("none of the {of} {name} that died is among those that it reached"),
        },
        Some((name, (jaccard, both, of))) => Term {
            name: "scope",
            log_odds: SCOPE * jaccard,
            text: format!("it reached {both} of the {of} {name} that died (Jaccard index {jaccard:.2})"),
        },
        None if !s.services.is_empty() => {
            Term { name: "scope", log_odds: SCOPE / 2.0, text: format!("of {}", scene.service) }
        }
        None => none("whom it reached cannot be compared with who died"),
    }
}

/// Whether its key has the words of the hot code.
pub(crate) fn name(scene: &Scene<'_>, key: &str) -> Term {
    let key_words = scene.key_words(key);
    let overlap = crate::causes::key_overlap(&key_words, &scene.code_words);
    let shared: Vec<&str> = key_words.iter().map(String::as_str).collect();
    let text = if overlap > 0.0 {
        format!("words of its key ({}) are those of the code and variables that hold the memory", shared.join(", "))
    } else {
        "no word of its key is in the code and variables that hold the memory".to_owned()
    };
    Term { name: "name", log_odds: NAME * overlap, text }
}

/// Other changes near it: any of them may be it.
pub(crate) fn near_others(scene: &Scene<'_>, change: &Change) -> Term {
    let stands_for = |i: usize| scene.stands_for.get(i).copied();
    let itself = scene.changes.iter().position(|c| std::ptr::eq(*c, change)).and_then(stands_for);
    let is_other = |(i, c): &(usize, &&Change)| {
        scene.stands(*i)
            && Some(*i) != itself
            && c.at_unix_ms.abs_diff(change.at_unix_ms) <= NEAR_MS.unsigned_abs()
            && scene.before_onset(c.at_unix_ms) >= -CLOCKS_MS
            // The limit of a group that was just made was none before.
            // What jumped in the heaps is the sign of a change.
            && c.kind != ChangeKind::Census
            && (c.kind != ChangeKind::Limit || c.size_bytes_before.is_some() || !c.from.is_empty())
            // Of another service it is no rival.
            && (c.scope.services.is_empty() || c.scope.services.iter().any(|s| s == scene.service))
    };
    let others = scene.changes.iter().enumerate().filter(is_other).count();
    let log_odds = (OTHERS_NEAR * others as f64).max(OTHERS_NEAR_MOST);
    Term { name: "others", log_odds, text: format!("{} within half an hour", plural(others as u64, "other change")) }
}

/// Adds what is weighed of every change.
pub(crate) fn weigh(scene: &Scene<'_>, change: &Change, cause: &mut Cause) {
    cause.terms.push(time(scene, change));
    cause.terms.push(scope(scene, change));
    cause.terms.push(name(scene, &change.key));
    cause.terms.push(near_others(scene, change));
}
