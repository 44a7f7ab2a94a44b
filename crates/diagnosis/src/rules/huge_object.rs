//! One object, or a few, that are most of the growth. The page: `huge-object.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, GraphPath};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::growth::Growth;
use crate::heap_cause::{HeapCause, Mechanism, Origin};
use crate::large_objects::HugeObjects;
use crate::owner::is_standard_library;
use crate::reachability::{Reachability, goroutines_of, holder_of};
use crate::sentence::{growth as growth_of, level, look_for_change, place, service};
use crate::site_certainty::{completeness, of_origin};
use crate::subject::Subject;
use crate::suspects::Suspect;
use crate::units::{bytes, percent, plural};
use crate::way::way;
use crate::window::Window;

/// The rule.
pub(super) struct HugeObject;

impl Rule for HugeObject {
    const INFO: RuleInfo = RuleInfo {
        code: "huge-object",
        title: "a few huge objects are most of the growth",
        doc: include_str!("huge-object.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let (Some(w), Some(heap)) = (case.window, case.heap)
            && let Mechanism::HugeObjects(huge) = &heap.mechanism
        {
            out.found(Some(find(case.facts, case.growth, w, heap, huge)));
        }
    }
}

fn find(facts: &Facts, growth: &Growth, w: &Window, heap: &HeapCause<'_>, huge: &HugeObjects<'_>) -> Finding {
    let kept = KeptHuge::of(facts, huge, &heap.origin);
    let (subject, site, by) = match &heap.origin {
        Origin::Profiled(c) => (Subject::site(&c.frame), Some(c.site), format!(", allocated in {}", place(&c.frame))),
        Origin::Suspects(s) => match (s.first(), &kept) {
            (_, Some(kept)) => {
                let by = format!("; {}; which line allocated is not recorded", kept.text());
                (Subject::Holder { name: kept.holder().to_owned() }, None, by)
            }
            (Some(s), None) => (
                Subject::site(s.at),
                None,
                format!("; which line allocated is not recorded, a suspect is {}", s.text()),
            ),
            (None, None) => (Subject::Process, None, "; which line allocated is not recorded".to_owned()),
        },
    };
    let what = what(huge);
    // Where it is larger than the last of the growth, it is a part of what is in use.
    let whole = w.growth().max(huge.total());
    let of = if huge.total() > w.growth() {
        let in_use = facts.gc.heap_in_use.max(huge.total());
        format!(
            "{} of the heap ({} in use) that grew to the end of {}",
            percent(huge.total() as f64 / in_use as f64),
            bytes(in_use),
            service(facts)
        )
    } else {
        format!("{} of {}", percent(huge.total() as f64 / whole as f64), growth_of(facts, w))
    };
    let title = match (huge.sizes.len(), huge.grown_by_copying) {
        (1, _) => "one huge object",
        (_, true) => "one buffer, slice or map that grows by copying: old and new are there at once",
        _ => "a few huge objects",
    };
    let running = facts.heap.as_ref().is_some_and(|h| h.running);
    let source = if running { Source::Estimated } else { Source::Exact };
    let function = match &heap.origin {
        Origin::Profiled(c) => c.frame.function.as_str(),
        Origin::Suspects(s) => {
            let suspect = || s.first().map_or("the program", |s| s.at.function.as_str());
            kept.as_ref().map_or_else(suspect, KeptHuge::holder)
        }
    };
    Finding {
        code: HugeObject::INFO.code,
        subject,
        level: level(facts, w.end_bytes),
        title: title.into(),
        sentence: format!("{what} {} {of}{by}.", if huge.sizes.len() == 1 { "is" } else { "are" },),
        factors: match &kept {
            Some(kept) => vec![
                ConfidenceFactor { name: "share of them that this way keeps", value: kept.share },
                ConfidenceFactor { name: "share of the growth that they are", value: share_of(huge, w) },
            ],
            None => factors(facts, growth, w, heap, huge),
        },
        rivals: heap.rivals.clone(),
        evidence: std::iter::once(Evidence { text: format!("by the heap's span table: {what}"), source })
            .chain(heap.reach.iter().filter_map(Reachability::kept))
            .collect(),
        cure: if huge.grown_by_copying {
            format!(
                "Bound what {function} collects in one buffer, slice or map: let old entries go, work in pieces, or make it as large as it must be from the start, so that it is not copied as it grows."
            )
        } else {
            // Who is seen works with it, and may have been handed it (seen in `lab/deaths`, heat-map: who
            // smooths a grid that another function makes).
            let by = match &heap.origin {
                Origin::Suspects(_) if kept.as_ref().is_some_and(KeptHuge::is_variable) => {
                    format!("whoever fills {function}")
                }
                Origin::Suspects(s) if !s.is_empty() || kept.is_some() => {
                    format!("{function}, or who it has it from,")
                }
                _ => function.to_owned(),
            };
            format!("Bound the size of what {by} makes in one piece, or work through it in pieces.")
        },
        site,
        do_now: vec![
            look_for_change(facts, w),
            (
                if huge.grown_by_copying {
                    "Bound what it collects: refuse more than what the limit holds, or let the oldest go".into()
                } else {
                    "Bound the input: refuse what is larger than what the limit holds".into()
                },
                String::new(),
            ),
        ],
    }
}

/// What keeps those of them that are alive, of a program without a profile: whoever works at that moment may
/// have nothing to do with it (seen blind: a table that was loaded, and "bound what load.Asker collects", of
/// the clients that asked meanwhile).
struct KeptHuge<'a> {
    path: &'a GraphPath,
    /// Part of all of them.
    share: f64,
}

impl<'a> KeptHuge<'a> {
    /// By the way to the largest, unless a suspect stands where that begins.
    fn of(facts: &'a Facts, huge: &HugeObjects<'_>, origin: &Origin<'_>) -> Option<Self> {
        let Origin::Suspects(suspects) = origin else { return None };
        let graph = facts.graph.as_ref().filter(|g| g.of_one_moment)?;
        let smallest = huge.sizes.last().copied().unwrap_or(0);
        let element = |p: &GraphPath| p.type_name.trim_start_matches(['[', ']', '*']).to_owned();
        let is_kind =
            |p: &GraphPath| huge.kind.element.as_ref().is_none_or(|of| element(p) == *of.trim_start_matches('*'));
        let are_those = |p: &&GraphPath| {
            let few = (1..=huge.sizes.len() as u64).contains(&p.objects);
            few && is_kind(p) && p.bytes / p.objects >= smallest - smallest / 8
        };
        let path = graph.paths.iter().filter(are_those).rev().max_by_key(|p| p.bytes)?;
        let it = Self { path, share: (path.bytes as f64 / huge.total().max(1) as f64).min(1.0) };
        let at = |s: &Suspect<'_>| s.at.function == it.holder();
        // What the runtime, a finalizer or a library's goroutine leads to tells of no place in the program.
        let module = &facts.target.module.path;
        let is_a_place =
            (it.is_variable() || goroutines_of(path).is_some()) && !is_standard_library(it.holder(), module);
        let is_largest = path.bytes >= huge.largest() - huge.largest() / 8;
        (is_largest && is_a_place && !it.holder().is_empty() && !suspects.first().is_some_and(at)).then_some(it)
    }

    /// The function in whose frame they stand, or whose goroutines have them; else the variable.
    fn holder(&self) -> &'a str {
        holder_of(self.path).unwrap_or_default()
    }

    fn is_variable(&self) -> bool {
        self.path.steps.first().is_some_and(|root| root.starts_with("global "))
    }

    fn text(&self) -> String {
        let (way, kept) = (way(&self.path.steps, &self.path.type_name), bytes(self.path.bytes));
        format!("{kept} of it are kept by way of {way}")
    }
}

/// That they are there is exact; what is not is that the function named has them.
fn factors(
    facts: &Facts,
    growth: &Growth,
    w: &Window,
    heap: &HeapCause<'_>,
    huge: &HugeObjects<'_>,
) -> Vec<ConfidenceFactor> {
    match &heap.origin {
        Origin::Profiled(c) => {
            let has = c.current.bytes as f64 / huge.total().max(1) as f64;
            let name = "share of them that this function's allocations can be";
            vec![
                ConfidenceFactor { name, value: has.min(1.0) },
                ConfidenceFactor { name: "share of the growth that they are", value: share_of(huge, w) },
                completeness(facts),
            ]
        }
        Origin::Suspects(_) => of_origin(facts, growth, w, heap),
    }
}

fn share_of(huge: &HugeObjects<'_>, w: &Window) -> f64 {
    (huge.total() as f64 / w.growth().max(1) as f64).min(1.0).sqrt()
}

/// `one object of 800 MB`, `3 objects of 25.8 MB to 40.3 MB`.
fn what(huge: &HugeObjects<'_>) -> String {
    let kind = match &huge.kind.element {
        Some(element) => format!(" ({element})"),
        None if huge.kind.noscan => " without pointers".to_owned(),
        None => String::new(),
    };
    let (largest, smallest) = (huge.largest(), huge.sizes.last().copied().unwrap_or(0));
    let sizes = if smallest == largest { bytes(largest) } else { format!("{} to {}", bytes(smallest), bytes(largest)) };
    format!("{} of {sizes}{kind}", plural(huge.sizes.len() as u64, "object"))
}
