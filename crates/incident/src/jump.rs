//! The census jump: a collection that stood where it was and has many times its elements from one look to the
//! next, in the heaps of many instances. It needs no feed: whatever was published is there.

use lastgasp_diagnosis::units::{bytes, count, percent};

use crate::evidence::{CaptureSummary, CollectionSummary, UnixMs};
use crate::life::Life;
use crate::sized::BY_SIZE;
use crate::statistics::robust::median;

/// Factor by which elements must have changed. The same as a capture's own rule has.
const FACTOR: f64 = 10.0;
/// Elements that there must be. Fewer than a capture's own rule asks for: here many instances agree.
const MIN_ELEMENTS: u64 = 1_000;
/// Part of the change, in logarithms, that must come from one look to the next: a queue fills by and by.
const IN_ONE_STEP: f64 = 0.7;
/// Onsets are known to about this.
const NEAR_MS: i64 = 500;
/// Age up to which a process still loads what it needs: what jumps then was not published (seen in
/// lab/cluster: a catalogue that filled as the service started was named for the configuration that killed it
/// later).
const START_MS: i64 = 5_000;
/// Part by which numbers of elements may differ and be the same.
pub(crate) const SAME: f64 = 0.05;

/// A jump in one capture.
#[derive(Clone, Debug, PartialEq)]
pub struct JumpSeen<'a> {
    /// The capture.
    pub capture: &'a CaptureSummary,
    /// The collection.
    pub collection: &'a CollectionSummary,
    /// Elements before.
    pub before: u64,
    /// Elements after.
    pub after: u64,
    /// The last look at which it was as before.
    pub earliest: UnixMs,
    /// The first at which it had jumped.
    pub latest: UnixMs,
    /// Whether it is the last of several steps, which one life alone says too little of.
    pub is_stair: bool,
}

/// The jump of one collection in many lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Jump<'a> {
    /// The one that tells most.
    pub best: JumpSeen<'a>,
    /// Elements before, the middle of all.
    pub before: u64,
    /// Elements after.
    pub after: u64,
    /// Lives that had it.
    pub lives: u64,
    /// Lives in which it could have been seen: those with looks at collections.
    pub of: u64,
    /// The last moment before which no life had it.
    pub earliest: UnixMs,
    /// The first moment at which one had it.
    pub latest: UnixMs,
    /// Lives whose memory began to grow after the first look at which it had jumped.
    pub before_memory: u64,
    /// Lives in which it was before, or between two looks around that moment: it may have come first.
    pub may_be_before: u64,
    /// Lives where that is known.
    pub of_known: u64,
    /// Copies of as many elements each, where there are some: number, bytes of all, and where they are built.
    pub copies: Option<(u64, u64, String)>,
    /// Part of the growth that those copies, or what the collection itself keeps, are.
    pub of_growth: f64,
    /// Objects as large as so many elements each: what calls build of a list as an array is no collection
    /// that anybody counts. Their size may be chance.
    pub sized: Option<AsLarge>,
}

/// Objects that are as large as the elements of a jump.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsLarge {
    /// How many.
    pub objects: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// The part of the growth that they are.
    pub part: f64,
}

impl AsLarge {
    /// `21 objects are as large as so many elements each: 141 MB, 97 % of the growth`.
    pub(crate) fn text(&self) -> String {
        let (n, all) = (count(self.objects), bytes(self.bytes));
        format!("{n} objects are as large as so many elements each: {all}, {} of the growth", percent(self.part))
    }
}

/// Every jump, the one that explains most first.
#[must_use]
pub(crate) fn jumps<'a>(lives: &[&Life<'a>]) -> Vec<Jump<'a>> {
    let mut groups: Vec<Vec<(usize, JumpSeen<'a>)>> = Vec::new();
    for (i, life) in lives.iter().enumerate() {
        for seen in of_life(life) {
            let same = |g: &&mut Vec<(usize, JumpSeen<'a>)>| g.first().is_some_and(|(_, o)| is_same(o, &seen));
            match groups.iter_mut().find(same) {
                Some(g) => g.push((i, seen)),
                None => groups.push(vec![(i, seen)]),
            }
        }
    }
    let of =
        lives.iter().filter(|l| l.captures.iter().any(|c| c.census.iter().any(|k| k.looks.len() > 1))).count() as u64;
    let mut out: Vec<Jump<'a>> = groups.into_iter().filter_map(|g| joined(lives, g, of)).collect();
    out.sort_by(|a, b| {
        let rank = |j: &Jump<'_>| (j.of_growth * 10.0).round() as i64 + (j.lives.min(4) as i64);
        rank(b)
            .cmp(&rank(a))
            .then(b.after.cmp(&a.after))
            .then_with(|| a.best.collection.owner.cmp(&b.best.collection.owner))
    });
    out
}

/// Two collections that went from about the same number to the same number are told as one: what a variable
/// keeps is also on the stacks of those who read it.
fn is_same(a: &JumpSeen<'_>, b: &JumpSeen<'_>) -> bool {
    is_near(a.after, b.after) && is_near(a.before.max(1), b.before.max(1))
}

/// Whether two numbers of elements are the same but for [`SAME`].
#[must_use]
pub(crate) fn is_near(a: u64, b: u64) -> bool {
    a.abs_diff(b) as f64 <= SAME * a.max(b) as f64
}

fn of_life<'a>(life: &Life<'a>) -> Vec<JumpSeen<'a>> {
    let mut out: Vec<JumpSeen<'a>> = Vec::new();
    // The last capture of a life knows all looks that those before it know.
    for capture in life.captures.iter().rev() {
        for collection in &capture.census {
            let known = |o: &JumpSeen<'_>| o.collection.owner == collection.owner;
            if let Some(seen) = of_collection(capture, collection).filter(|_| !out.iter().any(known)) {
                out.push(seen);
            }
        }
    }
    out
}

/// The jump of a collection, by its looks and what it has at the capture.
fn of_collection<'a>(capture: &'a CaptureSummary, collection: &'a CollectionSummary) -> Option<JumpSeen<'a>> {
    let end = (capture.taken_unix_ms, collection.elements);
    let looks: Vec<(UnixMs, u64)> = collection.looks.iter().map(|l| (l.unix_ms, l.elements)).chain([end]).collect();
    let ln = |n: u64| (n.max(1) as f64).ln();
    let step = looks.windows(2).filter_map(|w| match w {
        [a, b] => Some((*a, *b, ln(b.1) - ln(a.1))),
        _ => None,
    });
    let (a, b, by) = step.max_by(|x, y| x.2.total_cmp(&y.2))?;
    let first = looks.first()?.1;
    let whole = ln(end.1) - ln(first);
    // One that goes on in steps and stands still between them fills by none (seen blind in lab/cluster: 400,
    // 1,500, 6,000, 9,000 and 280,000; of the last step, which killed, nothing was said).
    let is_last_stair = collection.kind != "chan"
        && is_stair(&looks, a)
        && (b.1.saturating_sub(a.1)) as f64 >= end.1 as f64 * IN_ONE_STEP;
    let at_once = by >= whole.abs() * IN_ONE_STEP;
    let is_step = by >= FACTOR.ln() && (at_once || is_last_stair);
    // It must stay: what comes and goes within a watch is work, not what was published.
    let stays = end.1 as f64 >= b.1 as f64 * 0.5;
    let started = capture.started_unix_ms;
    let is_start = started > 0 && a.0 < started.saturating_add(START_MS);
    if !is_step || !stays || is_start || b.1 < MIN_ELEMENTS {
        return None;
    }
    let (a, b) = if is_near(end.1, b.1) || end.1 < b.1 { (a, b) } else { most_of(&looks)? };
    Some(JumpSeen {
        capture,
        collection,
        before: a.1,
        after: end.1.max(b.1),
        earliest: a.0,
        latest: b.0,
        is_stair: !at_once,
    })
}

/// Whether a collection stood still before a look, and at others: most looks found as many as the look
/// before.
fn is_stair(looks: &[(UnixMs, u64)], at: (UnixMs, u64)) -> bool {
    let pairs = || looks.windows(2).filter_map(|w| if let [a, b] = w { Some((a, b)) } else { None });
    let stood = pairs().filter(|(a, b)| is_near(a.1, b.1)).count();
    let before = pairs().find(|(_, b)| **b == at);
    before.is_some_and(|(a, b)| is_near(a.1, b.1)) && stood * 2 >= looks.len().saturating_sub(1)
}

/// Of one that went on from its jump in further steps, the step that brought most elements: what is in the
/// heaps at the end was published then, and not what came first (seen blind in lab/cluster: 312, 25,000,
/// 55,000 and 120,000; the time of the first and the number of the last fitted no publication, and the right
/// one was refused, surely).
fn most_of(looks: &[(UnixMs, u64)]) -> Option<((UnixMs, u64), (UnixMs, u64))> {
    let steps = looks.windows(2).filter_map(|w| if let [a, b] = w { Some((*a, *b)) } else { None });
    steps.max_by_key(|(a, b)| b.1.saturating_sub(a.1))
}

fn joined<'a>(lives: &[&Life<'a>], seen: Vec<(usize, JumpSeen<'a>)>, of: u64) -> Option<Jump<'a>> {
    let mut indices: Vec<usize> = seen.iter().map(|(i, _)| *i).collect();
    indices.dedup();
    let middle = |of: &dyn Fn(&JumpSeen<'_>) -> u64| {
        median(&seen.iter().map(|(_, s)| of(s) as f64).collect::<Vec<_>>()).map(|m| m as u64)
    };
    // Of a queue that fills in batches no two have the same steps.
    if indices.len() < 2 && seen.iter().all(|(_, s)| s.is_stair) {
        return None;
    }
    let (mut before_memory, mut may_be_before, mut of_known) = (0, 0, 0);
    for i in &indices {
        let onset = lives.get(*i).and_then(|l| l.growth_onset());
        let first = seen.iter().filter(|(j, _)| j == i).map(|(_, s)| (s.earliest, s.latest)).min();
        if let (Some(onset), Some((earliest, latest))) = (onset, first) {
            of_known += 1;
            before_memory += u64::from(latest <= onset.earliest.saturating_add(NEAR_MS));
            may_be_before += u64::from(earliest <= onset.latest.saturating_add(NEAR_MS));
        }
    }
    let best = seen.iter().map(|(_, s)| s).max_by(|a, b| worth(a).cmp(&worth(b)))?.clone();
    let (mut copies, mut of_growth, mut sized) = (None, 0.0_f64, None::<AsLarge>);
    for (_, s) in &seen {
        let grown = s.capture.grown_bytes();
        let near = || s.capture.copies.iter().filter(|c| c.copies > 1 && is_near(c.elements, s.after));
        let same = near().filter(|c| c.equal != BY_SIZE);
        if let Some(c) = near().find(|c| c.equal == BY_SIZE) {
            let part = (c.total_bytes as f64 / grown as f64).min(1.0);
            sized =
                sized.filter(|s| s.part >= part).or(Some(AsLarge { objects: c.copies, bytes: c.total_bytes, part }));
        }
        if let Some(c) = same.max_by_key(|c| c.total_bytes) {
            of_growth = of_growth.max((c.total_bytes as f64 / grown as f64).min(1.0));
            let more = copies.as_ref().is_none_or(|(_, bytes, _)| *bytes < c.total_bytes);
            if more {
                copies = Some((c.copies, c.total_bytes, c.site.clone()));
            }
        }
        of_growth = of_growth.max((s.collection.bytes as f64 / grown as f64).min(1.0));
    }
    Some(Jump {
        before: middle(&|s| s.before)?,
        after: middle(&|s| s.after)?,
        lives: indices.len() as u64,
        of: of.max(indices.len() as u64),
        earliest: seen.iter().map(|(_, s)| s.earliest).min()?,
        latest: seen.iter().map(|(_, s)| s.latest).min()?,
        before_memory,
        may_be_before,
        of_known,
        copies,
        of_growth,
        sized,
        best,
    })
}

/// How well a collection's name tells what was published: a variable before what a goroutine holds, a field
/// before none, one on the way of the growth before others.
fn worth(s: &JumpSeen<'_>) -> (bool, bool, bool, std::cmp::Reverse<usize>) {
    let c = s.collection;
    let fields = c.owner.split(' ').any(|w| w.starts_with('.') && w.len() > 1);
    let growth = &s.capture.growth;
    let hot = [&growth.culprit, &growth.caller, &s.capture.calls.function];
    let on_the_way = hot.iter().any(|f| !f.is_empty() && c.owner.contains(f.as_str()));
    let is_named = c.is_global && !c.owner.contains("variables+") && !c.owner.contains("bss+");
    (is_named, fields, on_the_way, std::cmp::Reverse(c.owner.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CollectionLook, CopiesSummary, Generation, WindowSummary};

    fn collection(owner: &str, looks: &[(UnixMs, u64)], elements: u64) -> CollectionSummary {
        CollectionSummary {
            owner: owner.into(),
            elements,
            looks: looks
                .iter()
                .map(|(unix_ms, elements)| CollectionLook { unix_ms: *unix_ms, elements: *elements })
                .collect(),
            is_global: owner.starts_with("global"),
            ..CollectionSummary::default()
        }
    }

    fn capture(census: Vec<CollectionSummary>, onset: UnixMs) -> CaptureSummary {
        CaptureSummary {
            taken_unix_ms: 30_000,
            census,
            window: Some(WindowSummary {
                onset_unix_ms: onset,
                end_bytes: 700_000_000,
                was_at_rest: true,
                ..WindowSummary::default()
            }),
            copies: vec![CopiesSummary {
                copies: 80,
                elements: 230_000,
                total_bytes: 576_000_000,
                site: "main.build".into(),
                ..CopiesSummary::default()
            }],
            ..CaptureSummary::default()
        }
    }

    fn life(capture: &CaptureSummary) -> Life<'_> {
        Life { of: Generation::default(), captures: vec![capture] }
    }

    #[test]
    fn what_a_process_loads_as_it_starts_was_not_published() {
        let rows = || vec![collection("global main.catalogue", &[(20_000, 193), (22_000, 2_560)], 2_560)];
        let young = CaptureSummary { started_unix_ms: 18_000, ..capture(rows(), 24_500) };
        let old = CaptureSummary { started_unix_ms: 1_000, ..capture(rows(), 24_500) };
        assert!(jumps(&[&life(&young)]).is_empty());
        assert_eq!(jumps(&[&life(&old)]).len(), 1);
    }

    #[test]
    fn what_was_published_is_seen_in_every_heap() {
        let looks = [(20_000, 312), (22_000, 312), (24_000, 230_000), (26_000, 230_000)];
        let rows = || {
            vec![
                collection("goroutine in main.watch [+32 +0]", &looks, 230_000),
                collection("global main.cache .avids", &looks, 230_000),
            ]
        };
        let (a, b) = (capture(rows(), 24_500), capture(rows(), 24_600));
        let (a, b) = (life(&a), life(&b));
        let got = jumps(&[&a, &b]);
        assert_eq!(got.len(), 1, "a variable and who reads it are one");
        let j = &got[0];
        assert_eq!((j.before, j.after, j.lives, j.of), (312, 230_000, 2, 2));
        assert_eq!((j.earliest, j.latest, j.before_memory, j.of_known), (22_000, 24_000, 2, 2));
        assert_eq!(j.may_be_before, 2);
        assert_eq!(j.best.collection.owner, "global main.cache .avids");
        assert!(j.copies.as_ref().is_some_and(|c| c.0 == 80 && c.2 == "main.build") && j.of_growth > 0.8);
    }

    #[test]
    fn of_several_steps_the_one_that_brought_most_is_the_jump() {
        let looks = [(12_000, 312), (14_000, 25_000), (18_000, 25_000), (20_000, 55_000), (24_000, 55_000)];
        let rows = vec![collection("global main.regions", &[&looks[..], &[(26_000, 120_000)]].concat(), 120_000)];
        let capture = capture(rows, 24_500);
        let life = life(&capture);
        let got = jumps(&[&life]);
        let j = &got[0];
        assert_eq!((j.before, j.after, j.earliest, j.latest), (55_000, 120_000, 24_000, 26_000));
    }

    #[test]
    fn what_fills_by_and_by_is_no_jump() {
        // In stairs, of which the last brought nearly all, it is.
        let stairs =
            [(10_000, 400), (12_000, 400), (14_000, 6_000), (20_000, 6_000), (22_000, 6_000), (24_000, 280_000)];
        let rows = vec![collection("global main.prices", &stairs, 280_000)];
        let stairs = capture(rows, 24_500);
        let stairs = life(&stairs);
        assert!(jumps(&[&stairs]).is_empty(), "one process alone may be a queue that fills in batches");
        let got = jumps(&[&stairs, &stairs]);
        assert_eq!((got[0].before, got[0].after, got[0].earliest), (6_000, 280_000, 22_000));

        let queue: Vec<(UnixMs, u64)> = (0..10).map(|i| (20_000 + i * 1000, 100 << i)).collect();
        let work = [(20_000, 10), (22_000, 500_000), (24_000, 600_000), (26_000, 90)];
        let small = [(20_000, 3), (22_000, 400)];
        let rows = vec![
            collection("global main.queue", &queue, 60_000),
            collection("global main.batch", &work, 90),
            collection("global main.small", &small, 400),
        ];
        let capture = capture(rows, 25_000);
        assert_eq!(jumps(&[&life(&capture)]), []);
    }
}
