//! What the heaps of the dead hold of as many elements as were published: it names the publication also where
//! nobody had looked at the collection while it was small. (Seen in the lab: every process was nine seconds
//! old when a configuration of 230,184 ids came; there was no look at it from before, and 20 copies of
//! 230,184 elements in each heap.)

use lastgasp_diagnosis::units::{bytes, count, percent};

use super::weights::SIZE;
use super::{Cause, Scene};
use crate::evidence::{CaptureSummary, Change};
use crate::jump::is_near;
use crate::sized::BY_SIZE;

/// Fewer elements than this are in a heap by chance.
const MIN_ELEMENTS: u64 = 1_000;
/// What was published must differ by this factor from what stood there before, where that was told.
const CHANGED: f64 = 1.5;

/// Collections of as many elements as were published.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filled {
    /// How many.
    elements: u64,
    /// Lives in whose heap there is one, and those whose heap was looked through.
    lives: u64,
    of: u64,
    /// Part of the growth that it, or copies of it, are.
    of_growth: f64,
    /// Whether a heap that has it was looked through with its graph, so that copies would have been seen.
    with_graph: bool,
    /// Way to one of them.
    owner: String,
    /// Number, bytes and place of its copies.
    copies: Option<(u64, u64, String)>,
}

impl Filled {
    /// What the heaps hold of a publication; `None` where its size is not known or no heap has as many.
    pub(super) fn of(scene: &Scene<'_>, change: &Change) -> Option<Self> {
        let elements = change.elements.filter(|n| *n >= MIN_ELEMENTS)?;
        let differs = |before: u64| {
            let (a, b) = (before.max(1) as f64, elements as f64);
            (a / b).max(b / a) >= CHANGED
        };
        if !change.elements_before.is_none_or(differs) {
            return None;
        }
        let looked_through = |c: &&CaptureSummary| !c.census.is_empty() || !c.copies.is_empty();
        let mut out =
            Self { elements, lives: 0, of: 0, of_growth: 0.0, with_graph: false, owner: String::new(), copies: None };
        for life in &scene.dead {
            let captures: Vec<&CaptureSummary> = life.captures.iter().copied().filter(looked_through).collect();
            out.of += u64::from(!captures.is_empty());
            let mut has = false;
            for c in captures {
                let same = c.census.iter().filter(|k| is_near(k.elements, elements));
                if let Some(k) = same.max_by_key(|k| (k.is_global, k.bytes, std::cmp::Reverse(k.owner.len()))) {
                    has = true;
                    out.of_growth = out.of_growth.max((k.bytes as f64 / c.grown_bytes() as f64).min(1.0));
                    out.with_graph |= c.heap.reachable_bytes.is_some();
                    if out.owner.is_empty() {
                        out.owner.clone_from(&k.owner);
                    }
                }
                let copies =
                    c.copies.iter().filter(|k| k.copies > 1 && k.equal != BY_SIZE && is_near(k.elements, elements));
                let Some(k) = copies.max_by_key(|k| k.total_bytes) else { continue };
                has = true;
                out.of_growth = out.of_growth.max((k.total_bytes as f64 / c.grown_bytes() as f64).min(1.0));
                if out.copies.as_ref().is_none_or(|(_, most, _)| *most < k.total_bytes) {
                    out.copies = Some((k.copies, k.total_bytes, k.site.clone()));
                }
            }
            out.lives += u64::from(has);
        }
        (out.lives > 0).then_some(out)
    }

    /// Whether it fills the memory; `None` where no heap that has it was looked through for copies.
    pub(super) fn fills(&self) -> Option<bool> {
        if self.of_growth >= 0.3 { Some(true) } else { self.with_graph.then_some(false) }
    }

    /// In words.
    pub(super) fn text(&self) -> String {
        let owner = if self.owner.is_empty() { "a collection" } else { self.owner.as_str() };
        let mut out = format!("{owner} has {} elements in {} of {} heaps", count(self.elements), self.lives, self.of);
        if let Some(copies) = &self.copies {
            out.push_str(&copies_text(copies, self.of_growth));
        }
        out
    }
}

/// Copies of as many elements (number, bytes of all, where they are built), and what part of the growth they
/// are.
pub(super) fn copies_text((copies, total, site): &(u64, u64, String), of_growth: f64) -> String {
    let built = if site.is_empty() { String::new() } else { format!(", built in {site}") };
    format!(
        "; {} live copies of as many elements each hold {}{built}: {} of the growth",
        count(*copies),
        bytes(*total),
        percent(of_growth)
    )
}

/// Part of the growth from which on the bytes of a publication by themselves explain it: who reads it holds
/// it more than once, as bytes, as text, as what was made of it. Chosen; a tenth needs ten copies.
const LEAST_OF_GROWTH: f64 = 0.1;
/// Less is no large document.
const LARGE_BYTES: u64 = 1 << 20;

/// Weighs the bytes of a publication against what grew, where they are many more than before and a good part
/// of it; whether they are. (Seen in lab/cluster: a document of 31 MB around as many elements as before, and
/// all instances died as they read it.)
pub(super) fn by_bytes(scene: &Scene<'_>, change: &Change, cause: &mut Cause) -> bool {
    let Some(now) = change.size_bytes.filter(|n| *n >= LARGE_BYTES) else { return false };
    let was = change.size_bytes_before;
    let Some(best) = scene.best.filter(|_| was.is_none_or(|was| now as f64 >= was as f64 * CHANGED)) else {
        return false;
    };
    let grown = best.grown_bytes();
    let part = now as f64 / grown as f64;
    if part < LEAST_OF_GROWTH {
        return false;
    }
    let was = was.map_or_else(String::new, |was| format!(" ({} before)", bytes(was)));
    let text = format!("{} published{was}, against {} that grew in a process", bytes(now), bytes(grown));
    cause.term("bytes", SIZE, text);
    true
}

/// Whether the largest collections of most heaps were not known before they were large: that none of those
/// that were known jumped says then nothing.
pub(super) fn largest_were_not_known(scene: &Scene<'_>) -> bool {
    let seen = scene.captures.iter().filter(|c| c.census.iter().any(|k| k.looks.len() > 1));
    let unknown = |c: &&&CaptureSummary| {
        c.census.iter().max_by_key(|k| k.elements).is_some_and(|k| k.elements >= MIN_ELEMENTS && k.looks.len() < 2)
    };
    let (mut all, mut blind) = (0_usize, 0_usize);
    for c in seen {
        all += 1;
        blind += usize::from(unknown(&c));
    }
    blind * 2 > all
}
