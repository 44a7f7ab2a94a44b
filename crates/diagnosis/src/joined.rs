//! One report for one death: the captures of a process, from before its end and from after it, as one set of
//! facts. Pure.
//!
//! Each figure is of the capture that knows it best, and of one capture as a whole: of the dead process the
//! profile, its goroutines and the runtime's gauges, which are of the last moment; of the living one what is
//! resident, which nobody can ask the dead. The timeline is that of all captures of the watch, since a long
//! rest at the limit pushes the growth out of the last one's; and growth is measured from that look at the
//! profile which was nearest to where it began.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnose::{Diagnosis, diagnose};
use crate::facts::{Death, DeathsBefore, Event, Facts, Figure, Gap, Goroutines, Part, Site, Target, Timeline};
use crate::window::window;

/// A capture of a death.
#[derive(Clone, Copy, Debug)]
pub struct CaptureOf<'a> {
    /// Name of its folder; empty if it is not stored yet.
    pub folder: &'a str,
    /// What it knows.
    pub facts: &'a Facts,
}

/// Memory that fell below this part of what it was has been given back: what was said of it then is of
/// another story.
const GIVEN_BACK: f64 = 0.9;

/// The facts of a death: `captures` are those of one process, oldest first, the last one from after its end.
/// `None` of none. One alone stays as it is, and says that it is alone.
#[must_use]
pub fn join(captures: &[CaptureOf<'_>]) -> Option<Facts> {
    let last = captures.last()?.facts;
    let from = Sources { of_watch: captures.iter().map(|c| same_watch(c.facts, last)).collect(), captures };
    let mut facts = last.clone();
    let mut parts: Vec<Part> = captures.iter().map(part).collect();
    let mut take = |figure: Figure, i: usize| {
        if let Some(part) = parts.get_mut(i) {
            part.gives.push(figure);
        }
    };
    for (i, capture) in from.all().filter(|(_, c)| has(c, Figure::Timeline)) {
        take(Figure::Timeline, i);
        if !std::ptr::eq(capture, last) {
            complete(&mut facts.timeline, &capture.timeline);
        }
    }
    // Frames are those of the profile; goroutines of another capture bring theirs.
    let profile = from.whole(Figure::Profile);
    if let Some((i, capture)) = profile {
        take(Figure::Profile, i);
        // What stands in for a profile is not needed then.
        facts.last_look = None;
        facts.profile.clone_from(&capture.profile);
        facts.frames.clone_from(&capture.frames);
    }
    let profile = profile.map_or(captures.len() - 1, |(i, _)| i);
    if let Some((i, capture)) = from.whole(Figure::Goroutines) {
        take(Figure::Goroutines, i);
        facts.goroutines.clone_from(&capture.goroutines);
        if i != profile {
            facts.goroutines.renumber(u32::try_from(facts.frames.len()).unwrap_or(u32::MAX));
            facts.frames.extend_from_slice(&capture.frames);
        }
    } else {
        facts.goroutines = Goroutines::default();
    }
    let gauges = from.newest(Figure::Gauges);
    if let Some((i, capture)) = gauges {
        take(Figure::Gauges, i);
        facts.gc = capture.gc;
    }
    if let Some((i, capture)) = from.newest(Figure::Heap) {
        take(Figure::Heap, i);
        facts.heap.clone_from(&capture.heap);
    }
    if let Some((i, capture)) = from.resident() {
        take(Figure::Resident, i);
        resident(&mut facts, capture, gauges.is_some_and(|(by, _)| by == i));
    }
    // The dead are in no group: what was charged to it is of the last look at who lived.
    facts.charge = from.all().rev().find_map(|(_, f)| f.charge);
    if let Some((i, capture)) = from.newest(Figure::Neighbours) {
        take(Figure::Neighbours, i);
        facts.neighbours.clone_from(&capture.neighbours);
    }
    if let Some((i, capture)) = from.baseline(&facts) {
        take(Figure::Baseline, i);
        if i != profile {
            measure_from(&mut facts, capture);
        }
    }
    from.captures.iter().rev().for_each(|c| name(&mut facts.target, &c.facts.target));
    facts.capture.gaps = gaps(captures, &parts);
    facts.death = Some(Death { parts, before: None });
    Some(facts)
}

/// Captures of a death, from each of which some figures are taken.
struct Sources<'a> {
    captures: &'a [CaptureOf<'a>],
    /// Whether each is of the same watch as the last one. Times of another are on another clock, and nothing
    /// of it is comparable.
    of_watch: Vec<bool>,
}

impl<'a> Sources<'a> {
    /// Those of the same watch with their numbers, oldest first.
    fn all(&self) -> impl DoubleEndedIterator<Item = (usize, &'a Facts)> {
        self.captures.iter().zip(&self.of_watch).enumerate().filter(|(_, (_, of))| **of).map(|(i, (c, _))| (i, c.facts))
    }

    /// The newest that has a figure.
    fn newest(&self, figure: Figure) -> Option<(usize, &'a Facts)> {
        self.all().rfind(|(_, f)| has(f, figure))
    }

    /// The newest that has all of a figure, else the newest that has some of it.
    fn whole(&self, figure: Figure) -> Option<(usize, &'a Facts)> {
        self.all().rfind(|(_, f)| has(f, figure) && !lacks(f, figure)).or_else(|| self.newest(figure))
    }

    /// The newest that knows what is resident of its mappings, else the newest that knows how much is.
    fn resident(&self) -> Option<(usize, &'a Facts)> {
        self.all().rfind(|(_, f)| f.residency.is_some()).or_else(|| self.newest(Figure::Resident))
    }

    /// The one whose look at the profile before is nearest to where the growth began, hardly later than that;
    /// the earliest look if all came later. Where nothing seems to have grown in the end, the newest that saw
    /// growth which was not given back; else the newest.
    fn baseline(&self, joined: &Facts) -> Option<(usize, &'a Facts)> {
        let looks = || self.all().filter_map(|(i, f)| Some((i, f, f.profile.baseline_t_ms?)));
        let chosen = match window(joined) {
            None => {
                looks().rfind(|(_, f, _)| window(f).is_some() && !given_back(f, joined)).or_else(|| looks().next_back())
            }
            Some(w) => {
                let latest = w.onset_ms.saturating_add(w.end_ms.saturating_sub(w.onset_ms) / 20);
                // Of equal looks the last capture's.
                let in_time = looks().rev().filter(|(.., t)| *t <= latest);
                in_time.min_by_key(|(.., t)| t.abs_diff(w.onset_ms)).or_else(|| looks().rev().min_by_key(|(.., t)| *t))
            }
        };
        chosen.map(|(i, f, _)| (i, f))
    }
}

/// Whether a capture has a figure at all.
fn has(facts: &Facts, figure: Figure) -> bool {
    match figure {
        Figure::Timeline => !facts.timeline.samples.is_empty(),
        Figure::Baseline => facts.profile.baseline_t_ms.is_some(),
        Figure::Profile => !facts.profile.sites.is_empty(),
        Figure::Goroutines => facts.goroutines.total > 0,
        Figure::Gauges => facts.gc.is_known(),
        Figure::Heap => facts.heap.is_some(),
        Figure::Resident => facts.rss.is_some() || facts.residency.is_some(),
        Figure::Neighbours => facts.neighbours.is_some(),
    }
}

/// One look at the kernel's counters, and the gauges that go with it.
fn resident(facts: &mut Facts, of: &Facts, gauges_are_its: bool) {
    (facts.rss, facts.residency) = (of.rss, of.residency);
    if let Some(residency) = facts.residency.as_mut().filter(|r| r.as_of_ms == 0) {
        residency.as_of_ms = of.capture.t_ms;
    }
    let then = of.gauges_at_rss.or_else(|| of.gc.is_known().then_some(of.gc));
    facts.gauges_at_rss = if gauges_are_its { of.gauges_at_rss } else { then };
}

/// What is known of a target by another capture of it.
fn name(target: &mut Target, other: &Target) {
    target.limit_bytes = target.limit_bytes.or(other.limit_bytes);
    target.limit_source = target.limit_source.take().or_else(|| other.limit_source.clone());
    target.container = target.container.take().or_else(|| other.container.clone());
}

/// Facts of a death as [`join`] makes them, with the deaths of the same service before it if they are known,
/// and what the rules say of them. What a capture from before the end has found is never lost to one from
/// after it that finds less, or sees no growth where the former saw it grow: then the former's word stands,
/// unless its memory was given back meanwhile. (Seen: a ramp to 95 % of the limit, a minute there, and a slow
/// end; of that end alone it seemed that nothing had grown.)
#[must_use]
pub fn diagnose_death(captures: &[CaptureOf<'_>], before: Option<DeathsBefore>) -> Option<(Facts, Diagnosis)> {
    let mut joined = join(captures)?;
    if let Some(death) = &mut joined.death {
        death.before = before;
    }
    let diagnosis = diagnose(&joined);
    let (last, earlier) = captures.split_last()?;
    for (i, before) in earlier.iter().enumerate().rev() {
        if !same_watch(before.facts, last.facts) || given_back(before.facts, &joined) {
            break;
        }
        let said = diagnose(before.facts);
        let saw_growth = said.window.is_some() && diagnosis.window.is_none() && said.verdict().is_some();
        if said.level() > diagnosis.level() || saw_growth {
            return Some((as_before(before.facts, i, joined), said));
        }
    }
    Some((joined, diagnosis))
}

fn part(capture: &CaptureOf<'_>) -> Part {
    let c = &capture.facts.capture;
    Part {
        folder: capture.folder.to_owned(),
        phase: c.phase.clone(),
        reason: c.reason.clone(),
        taken_at: c.taken_at.clone(),
        t_ms: c.t_ms,
        gives: Vec::new(),
    }
}

/// Whether two captures are of one watch: their timelines share a sample, or an event. Being found does not
/// count, which is the same in every watch: a daemon that was started anew counts from its own start.
fn same_watch(one: &Facts, last: &Facts) -> bool {
    if std::ptr::eq(one, last) {
        return true;
    }
    let (t, known) = (&one.timeline, &last.timeline);
    let sample = t.samples.iter().rev().any(|s| {
        let at = known.samples.partition_point(|l| l.t_ms < s.t_ms);
        known.samples.get(at) == Some(s)
    });
    let event = |e: &Event| {
        let from = known.events.partition_point(|l| l.t_ms < e.t_ms);
        known.events.iter().skip(from).take_while(|l| l.t_ms == e.t_ms).any(|l| l == e)
    };
    sample || t.events.iter().filter(|e| e.t_ms > 0).any(event)
}

/// Adds the samples and events of `earlier` that the timeline has lost.
fn complete(timeline: &mut Timeline, earlier: &Timeline) {
    let known: BTreeSet<u64> = timeline.samples.iter().map(|s| s.t_ms).collect();
    timeline.samples.extend(earlier.samples.iter().filter(|s| !known.contains(&s.t_ms)));
    timeline.samples.sort_by_key(|s| s.t_ms);
    let mut known: BTreeSet<(u64, String, String)> = timeline.events.iter().map(names).collect();
    timeline.events.extend(earlier.events.iter().filter(|e| known.insert(names(e))).cloned());
    timeline.events.sort_by_key(|e| e.t_ms);
}

fn names(e: &Event) -> (u64, String, String) {
    (e.t_ms, e.kind.clone(), e.text.clone())
}

/// Measures growth from the baseline of another capture of the same process: sites are known by their stacks.
fn measure_from(facts: &mut Facts, other: &Facts) {
    let mut then: BTreeMap<_, Site> = BTreeMap::new();
    for site in &other.profile.sites {
        let sum = then.entry(site.key).or_default();
        sum.baseline = sum.baseline.plus(site.baseline);
        sum.baseline_allocated = sum.baseline_allocated.plus(site.baseline_allocated);
    }
    let profile = &mut facts.profile;
    (profile.baseline_t_ms, profile.baseline_gc) = (other.profile.baseline_t_ms, other.profile.baseline_gc);
    for site in &mut profile.sites {
        // What was not there then is new since.
        let was = then.remove(&site.key).unwrap_or_default();
        (site.baseline, site.baseline_allocated) = (was.baseline, was.baseline_allocated);
    }
}

/// Words in the names of gaps.
fn words(figure: Figure) -> &'static [&'static str] {
    match figure {
        Figure::Profile => &["memory profile"],
        Figure::Goroutines => &["goroutine", "stack"],
        Figure::Heap => &["span table", "garbage"],
        _ => &[],
    }
}

/// Whether a capture lacks all or pieces of a figure. That stacks of alike goroutines are left out is by
/// design, and a capture with such a gap is as good as any.
fn lacks(facts: &Facts, figure: Figure) -> bool {
    let is = |gap: &Gap, word: &&str| gap.what.strip_prefix(*word).is_some_and(|rest| rest.is_empty() || rest == "s");
    facts.capture.gaps.iter().any(|g| words(figure).iter().any(|w| is(g, w)))
}

/// What is missing of the figures that are taken from each capture.
fn gaps(captures: &[CaptureOf<'_>], parts: &[Part]) -> Vec<Gap> {
    let mut out: Vec<Gap> = Vec::new();
    let of_one = [Figure::Profile, Figure::Goroutines, Figure::Heap];
    // Where nothing could be copied of any of them, what is missing is all that there is to say.
    let evidence = [Figure::Profile, Figure::Goroutines, Figure::Heap, Figure::Gauges];
    let none = !parts.iter().any(|p| p.gives.iter().any(|figure| evidence.contains(figure)));
    for (c, part) in captures.iter().zip(parts) {
        let gives = |figure: &Figure| part.gives.contains(figure);
        for gap in &c.facts.capture.gaps {
            let about = of_one.iter().find(|figure| words(**figure).iter().any(|w| gap.what.contains(w)));
            let matters = match about {
                Some(figure) => gives(figure) || !parts.iter().any(|p| p.gives.contains(figure)),
                None => none || evidence.iter().any(gives),
            };
            if matters && !out.contains(gap) {
                out.push(gap.clone());
            }
        }
    }
    out
}

/// Whether memory fell between a capture and the end.
fn given_back(before: &Facts, joined: &Facts) -> bool {
    let at = before.capture.t_ms;
    let samples = &joined.timeline.samples;
    let then = samples.iter().rfind(|s| s.t_ms <= at).map_or(0, |s| s.usage_bytes) as f64;
    // What the kill itself gives back is seen in the very last looks.
    let end = samples.last().map_or(0, |s| s.t_ms).saturating_sub(200);
    samples.iter().any(|s| s.t_ms > at && s.t_ms < end && (s.usage_bytes as f64) < then * GIVEN_BACK)
}

/// All figures but the timeline.
const AFTER_TIMELINE: [Figure; 7] = [
    Figure::Baseline,
    Figure::Profile,
    Figure::Goroutines,
    Figure::Gauges,
    Figure::Heap,
    Figure::Resident,
    Figure::Neighbours,
];

/// The facts of a capture from before, told as those of the death.
fn as_before(before: &Facts, number: usize, joined: Facts) -> Facts {
    let mut facts = before.clone();
    let mut death = joined.death.unwrap_or_default();
    for (i, part) in death.parts.iter_mut().enumerate() {
        part.gives.retain(|g| *g == Figure::Timeline);
        if i == number {
            part.gives.extend(AFTER_TIMELINE.into_iter().filter(|f| has(before, *f)));
        }
    }
    // Its end, and what the watch saw up to then.
    facts.capture.phase = joined.capture.phase;
    facts.capture.reason = joined.capture.reason;
    facts.capture.taken_at = joined.capture.taken_at;
    facts.timeline = joined.timeline;
    facts.target.age_ms = joined.target.age_ms.or(facts.target.age_ms);
    facts.death = Some(death);
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Amount, Frame, Gc, Group, LastLook, Profile, Residency, Rss, Sample};

    const MB: u64 = 1_000_000;

    fn named(facts: &[Facts]) -> Vec<CaptureOf<'_>> {
        facts.iter().map(|facts| CaptureOf { folder: "x", facts }).collect()
    }

    fn frame(function: &str) -> Frame {
        Frame { function: function.into(), file: "svc/main.go".into(), line: 7 }
    }

    /// Calm for 60 s, a ramp of 40 MB/s from 100 MB to 500 MB, the limit, and a rest there until `end`; seen
    /// from `from` on.
    fn watched(from: u64, end: u64) -> Timeline {
        let usage = |t: u64| (100 * MB + t.saturating_sub(60_000) * 40_000).min(499 * MB);
        let sample = |t_ms| Sample { t_ms, usage_bytes: usage(t_ms), ..Sample::default() };
        let event = |t_ms, kind: &str| Event { t_ms, kind: kind.into(), text: "x".into() };
        Timeline {
            samples: (from / 50..=end / 50).map(|i| sample(i * 50)).collect(),
            events: [event(0, "attach"), event(69_700, "freeze")].into_iter().filter(|e| e.t_ms <= end).collect(),
            ..Timeline::default()
        }
    }

    /// One site that held `baseline` at `since` and holds `now`.
    fn profile(since: u64, baseline: u64, now: u64) -> Profile {
        let amount = |bytes| Amount { bytes, objects: bytes / 1000 };
        let site = Site {
            stack: vec![0],
            current: amount(now),
            allocated: amount(now),
            baseline: amount(baseline),
            baseline_allocated: amount(baseline),
            samples: 900,
            ..Site::default()
        };
        let baseline_gc = Some(Gc { heap_in_use: 90 * MB, ..Gc::default() });
        Profile { rate: 512 << 10, baseline_t_ms: Some(since), baseline_gc, sites: vec![site], ..Profile::default() }
    }

    fn before() -> Facts {
        let mut f = Facts { frames: vec![frame("main.build"), frame("main.idle")], ..Facts::default() };
        (f.capture.phase, f.capture.t_ms) = ("pre-kill".into(), 69_700);
        f.target.limit_bytes = Some(500 * MB);
        f.timeline = watched(0, 69_700);
        f.profile = profile(59_000, 60 * MB, 450 * MB);
        f.gc = Gc { heap_in_use: 460 * MB, percent: 100, ..Gc::default() };
        let group = Group { count: 5, stack: vec![1], ..Group::default() };
        f.goroutines = Goroutines { total: 5, groups: vec![group], ..Goroutines::default() };
        f.residency = Some(Residency { go_heap: 470 * MB, ..Residency::default() });
        f.rss = Some(Rss { rss: 480 * MB, anon: 480 * MB, as_of_ms: 69_700, ..Rss::default() });
        f.make_keys();
        f
    }

    /// After two minutes at the limit, whose samples have pushed growth out of the timeline; the baselines
    /// of then have been thinned out too.
    fn after() -> Facts {
        let mut f = Facts { frames: vec![frame("main.other"), frame("main.build")], ..before() };
        (f.capture.phase, f.capture.reason, f.capture.t_ms) = ("post-kill".into(), "oom-kill".into(), 190_010);
        f.timeline = watched(75_000, 190_000);
        f.profile = profile(100_000, 460 * MB, 465 * MB);
        f.profile.sites[0].stack = vec![1];
        f.gc.heap_in_use = 470 * MB;
        f.goroutines.groups[0].stack = vec![0];
        f.residency = None;
        f.rss = Some(Rss { rss: 490 * MB, anon: 490 * MB, as_of_ms: 189_000, ..Rss::default() });
        f.make_keys();
        f
    }

    fn gives(facts: &Facts) -> Vec<Vec<&'static str>> {
        let parts = &facts.death.as_ref().unwrap().parts;
        parts.iter().map(|p| p.gives.iter().map(|g| g.name()).collect()).collect()
    }

    /// Ten of 38 post-kill reports of real programs said "no finding" of a growth that had been named before
    /// the kill.
    #[test]
    fn a_rest_at_the_limit_erases_nothing() {
        let all = [before(), after()];
        assert_eq!(window(&all[1]), None, "of itself the last one saw no growth");
        let alone = diagnose(&all[0]).verdict().map(|v| v.code);
        assert!(alone.is_some());
        let (facts, d) = diagnose_death(&named(&all), None).unwrap();
        assert_eq!(d.verdict().map(|v| v.code), alone);
        assert_eq!((facts.capture.phase.name(), facts.capture.reason.name()), ("post-kill", "oom-kill"));
        let samples = &facts.timeline.samples;
        assert!(samples.is_sorted_by_key(|s| s.t_ms) && samples.len() > 3000 && samples[0].t_ms == 0);
        assert_eq!(crate::at_limit(&facts).map(|a| a.ms / 1000), Some(120), "the union tells how long it stood");
    }

    /// A rest below the limit that lasts a minute, and a slow end: by its own samples the last capture stands
    /// at its limit and says so, as badly as the first one said what grew.
    #[test]
    fn a_slow_end_does_not_unsee_the_growth() {
        let mut all = [before(), after()];
        for f in &mut all {
            for s in &mut f.timeline.samples {
                let slow = 475 * MB + s.t_ms.saturating_sub(150_000) / 10_000 * 5 * MB;
                s.usage_bytes = s.usage_bytes.min(slow);
            }
        }
        assert_eq!(window(&all[1]), None);
        let first = diagnose(&all[0]);
        let (facts, d) = diagnose_death(&named(&all), None).unwrap();
        assert!(d.window.is_some(), "{:?}", d.verdict());
        assert_eq!(d.verdict().map(|v| v.code), first.verdict().map(|v| v.code));
        assert_eq!(facts.capture.phase.name(), "post-kill");
    }

    #[test]
    fn each_figure_is_of_the_capture_that_knows_it_best() {
        let all = [before(), after()];
        let facts = join(&named(&all)).unwrap();
        let expected: [&[&str]; 2] =
            [&["timeline", "resident memory", "baseline"], &["timeline", "profile", "goroutines", "gauges"]];
        assert_eq!(gives(&facts), expected);
        let site = &facts.profile.sites[0];
        assert_eq!((site.baseline.bytes, site.current.bytes), (60 * MB, 465 * MB), "by its stack");
        assert_eq!(facts.profile.baseline_t_ms, Some(59_000));
        let resident = (facts.residency.unwrap().as_of_ms, facts.rss.unwrap().rss, facts.gc.heap_in_use);
        assert_eq!(resident, (69_700, 480 * MB, 470 * MB));
        assert_eq!(facts.gauges_at_rss.unwrap().heap_in_use, 460 * MB, "the gauges of that moment");
    }

    /// Files in memory were "others, who were not seen": the capture after the kill knows no charge, and it
    /// is the one that knows what was resident (`lab/deaths`, memfd-spool).
    #[test]
    fn the_charge_is_of_the_last_look_at_the_living() {
        use crate::facts::Charge;
        let charged = |shmem| Some(Charge { usage: 500 * MB, shmem, ..Charge::default() });
        let (mut first, mut second, mut dead) = (before(), before(), after());
        (first.charge, second.charge) = (charged(MB), charged(400 * MB));
        dead.residency = Some(Residency::default());
        assert_eq!(join(&named(&[first, second, dead])).unwrap().charge, charged(400 * MB));
    }

    /// Many died at once: of the last one the profile alone, or nothing, was copied.
    #[test]
    fn what_a_light_capture_lacks_is_of_the_one_before() {
        let mut alone = after();
        alone.goroutines = Goroutines::default();
        alone.capture.gaps.push(Gap::new("goroutines", "many died at once: the memory profile alone was copied"));
        let facts = join(&named(&[before(), alone.clone()])).unwrap();
        let function = |i: u32| facts.frames[i as usize].function.as_str();
        assert_eq!(facts.goroutines.groups[0].stack.iter().map(|i| function(*i)).collect::<Vec<_>>(), ["main.idle"]);
        assert_eq!(function(facts.profile.sites[0].stack[0]), "main.build");
        assert_eq!(facts.capture.gaps, [], "they are there, of another moment, which is said");

        (alone.profile, alone.gc) = (Profile::default(), Gc::default());
        let all = [before(), alone];
        let (facts, d) = diagnose_death(&named(&all), None).unwrap();
        assert_eq!(d.verdict().map(|v| v.code), diagnose(&all[0]).verdict().map(|v| v.code));
        assert_eq!((facts.profile.sites.len(), facts.gc.heap_in_use), (1, 460 * MB));
    }

    /// Nothing could be copied after the kill: the folder is made of the watch alone, and what stands in for
    /// a profile there is not needed beside a real one.
    #[test]
    fn a_death_without_evidence_is_told_by_the_capture_before() {
        let mut last = Facts { capture: after().capture, target: after().target, ..Facts::default() };
        last.timeline = watched(0, 70_500);
        last.capture.t_ms = 70_500;
        last.capture.gaps.push(Gap::new("evidence", "it was gone before it could be read"));
        last.last_look = Some(LastLook { t_ms: 60_000, ..LastLook::default() });
        assert!(last.nothing_was_copied());
        let all = [before(), last];
        let (facts, d) = diagnose_death(&named(&all), None).unwrap();
        assert_eq!(d.verdict().map(|v| v.code), diagnose(&all[0]).verdict().map(|v| v.code));
        assert!(!facts.nothing_was_copied() && facts.last_look.is_none() && facts.profile.sites.len() == 1);
        assert_eq!(gives(&facts)[1], ["timeline"]);
        assert_eq!(facts.capture.phase.name(), "post-kill");
    }

    /// The verdict of a capture whose memory was given back since is of another story.
    #[test]
    fn what_came_back_is_forgotten() {
        let mut last = after();
        // Nothing of the last one explains anything.
        (last.profile, last.goroutines, last.gc) = (Profile::default(), Goroutines::default(), Gc::default());
        for (fell, found) in [(false, true), (true, false)] {
            let mut last = last.clone();
            for s in last.timeline.samples.iter_mut().filter(|s| fell && s.t_ms < 180_000) {
                s.usage_bytes = 100 * MB;
            }
            let all = [before(), last];
            assert_eq!(given_back(&all[0], &join(&named(&all)).unwrap()), fell);
            let (_, d) = diagnose_death(&named(&all), None).unwrap();
            assert!(d.verdict().is_some() || !found, "{fell}");
        }
    }

    /// A daemon that was started anew counts from its own start, and finds the process under the same words.
    #[test]
    fn captures_of_two_watches_are_not_mixed() {
        let mut last = after();
        for s in &mut last.timeline.samples {
            s.usage_bytes += 1;
        }
        last.timeline.events.truncate(1);
        let all = [before(), last.clone()];
        let facts = join(&named(&all)).unwrap();
        assert_eq!((&facts.timeline, &facts.profile), (&last.timeline, &last.profile));
        assert_eq!(gives(&facts)[0], [""; 0]);
    }

    /// A death of which nothing could be copied says so, and why.
    #[test]
    fn what_could_not_be_copied_is_said() {
        let mut ring = Facts { profile: Profile::default(), gc: Gc::default(), ..after() };
        ring.goroutines = Goroutines::default();
        ring.capture.gaps.push(Gap::new("evidence", "its memory was gone"));
        let alone = join(&named(&[ring.clone()])).unwrap();
        assert!(alone.nothing_was_copied() && alone.capture.gaps == ring.capture.gaps, "{:?}", alone.capture.gaps);
        // What was taken before is then what there is.
        let joined = join(&named(&[before(), ring])).unwrap();
        assert!(!joined.nothing_was_copied() && joined.profile.sites.len() == 1);
    }

    #[test]
    fn one_alone_stays_as_it_is() {
        assert!(join(&[]).is_none() && diagnose_death(&[], None).is_none());
        let only = after();
        let facts = join(&named(std::slice::from_ref(&only))).unwrap();
        assert_eq!(gives(&facts).concat().len(), 6);
        assert_eq!(Facts { death: None, ..facts }, only);
    }
}
