//! Findings held against a capture: what was seen at their lines, and what that weighs. The line that a
//! process died of comes first.
//!
//! A line of a capture is a line of a finding by its package and file; where a function is all that is known
//! of a thing, by its function. Evidence that a rule is not about is not given to it: that a handler
//! allocates says nothing of a lock.

use lastgasp_diagnosis::facts::{Facts, Frame, GoroutineState, GraphCensus, GraphCopies, GraphWaste, Group};
use lastgasp_diagnosis::units::{bytes, count, plural};
use rustc_hash::FxHashSet;

use super::evidence::Allocated;
use super::names::Function;
use crate::finding::{Certainty, Evidence, Finding, Level};

/// What a rule is about, by which evidence is given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct About {
    /// Goroutines that wait.
    waiting: bool,
    /// Memory that is allocated.
    allocated: bool,
    /// Memory that is kept.
    kept: bool,
}

/// What each rule is about, by how its code begins.
fn about(code: &str) -> About {
    let begins = |with: &[&str]| with.iter().any(|w| code.starts_with(w));
    About {
        waiting: !begins(&["escape-", "make-", "slice-", "slots-", "map-", "append-", "rebuilt-", "config-"]),
        allocated: begins(&[
            "escape-",
            "make-",
            "rebuilt-",
            "config-",
            "append-",
            "map-",
            "slice-",
            "time-after",
            "ticker-",
            "defer-in-loop",
        ]),
        kept: begins(&["rebuilt-", "config-", "append-", "map-", "slice-", "slots-"]),
    }
}

/// Weight from which a finding that was seen is critical, and from which it is at least a warning: shares of
/// the heap, of the bytes allocated, of the goroutines.
const CRITICAL: f64 = 0.2;
const WARNING: f64 = 0.02;
/// Share of the bytes allocated below which a line's allocations are no evidence of anything.
const LEAST_SHARE: f64 = 0.005;
/// Goroutines on a line from which their number is evidence.
const LEAST_GOROUTINES: u64 = 2;
/// Elements from which two collections have as many by no chance.
const LEAST_ELEMENTS: u64 = 1000;

/// Something that was seen at a finding's line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// In words.
    pub text: String,
    /// Share of the process's heap, allocation or goroutines that it is, 0 to 1.
    pub weight: f64,
}

/// Gives findings what a capture shows at their lines, and puts those first that weigh most. Returns the
/// weights, in the findings' new order.
pub fn see(findings: &mut Vec<Finding>, facts: &Facts) -> Vec<f64> {
    let capture = Capture::of(facts);
    let mut weighed: Vec<(f64, Finding)> = findings
        .drain(..)
        .map(|mut finding| {
            let mut sights = capture.sights(&finding);
            sights.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.text.cmp(&b.text)));
            sights.dedup_by(|a, b| a.text == b.text);
            // What was seen twice in one way is not worse for it: the heaviest counts, and of different kinds
            // each a little.
            let weight = sights.iter().enumerate().map(|(i, s)| s.weight / f64::from(1 << i.min(8))).sum::<f64>();
            if !sights.is_empty() {
                finding.certainty = Certainty::Seen;
                finding.level = match weight {
                    w if w >= CRITICAL => Level::Critical,
                    w if w >= WARNING => finding.level.max(Level::Warning),
                    _ => finding.level,
                };
            }
            let evidence = sights.into_iter().map(|s| Evidence { text: s.text, source: "capture".to_owned() });
            finding.evidence.splice(0..0, evidence);
            (weight, finding)
        })
        .collect();
    weighed.sort_by(|(a, x), (b, y)| {
        let seen = |f: &Finding| f.certainty == Certainty::Seen;
        seen(y)
            .cmp(&seen(x))
            .then_with(|| b.total_cmp(a))
            // Of two that weigh the same the one that says more.
            .then_with(|| rank(&x.code).cmp(&rank(&y.code)))
            .then_with(|| y.level.cmp(&x.level))
            .then_with(|| x.place.cmp(&y.place))
    });
    let weights = weighed.iter().map(|(w, _)| *w).collect();
    findings.extend(weighed.into_iter().map(|(_, f)| f));
    weights
}

/// What a finding tells of a line that has several: that a thing is needless before that it could be done
/// better, and that before how values come to be on the heap.
fn rank(code: &str) -> u8 {
    match code {
        c if c.starts_with("escape-") => 3,
        "make-without-size" | "config-length-loop" => 2,
        "rebuilt-per-request" => 0,
        _ => 1,
    }
}

/// A capture, as findings are held against it.
struct Capture<'a> {
    facts: &'a Facts,
    allocated: Allocated,
    total: f64,
    heap: f64,
}

impl<'a> Capture<'a> {
    fn of(facts: &'a Facts) -> Self {
        let allocated = Allocated::of_facts(facts);
        let total = allocated.stacks.iter().map(|s| s.lately.bytes as f64).sum::<f64>();
        let heap = facts.gc.heap_in_use.max(facts.gc.heap_live) as f64;
        Self { facts, allocated, total: total.max(1.0), heap: heap.max(1.0) }
    }

    fn sights(&self, finding: &Finding) -> Vec<Sight> {
        let about = about(&finding.code);
        let mut sights = Vec::new();
        if about.waiting {
            sights.extend(self.waiting(finding));
        }
        if about.allocated {
            sights.extend(self.allocations(finding));
        }
        if about.kept {
            sights.extend(self.grown(finding));
            sights.extend(self.copies(finding));
            sights.extend(self.waste(finding));
        }
        sights
    }

    /// Goroutines that wait on the line, and those that it has started.
    fn waiting(&self, finding: &Finding) -> Vec<Sight> {
        let groups = &self.facts.goroutines;
        let all = groups.total.max(1) as f64;
        let frame = |at: u32| self.facts.frames.get(at as usize);
        let waits = |g: &&Group| matches!(g.state, GoroutineState::Waiting | GoroutineState::Leaked);
        let (mut here, mut started, mut within) = (0u64, 0u64, 0u64);
        let mut reasons: FxHashSet<&str> = FxHashSet::default();
        for group in groups.groups.iter().filter(waits) {
            let own = group.stack.iter().filter_map(|f| frame(*f)).find(|f| is_in_package(f, finding));
            if own.is_some_and(|f| is_at(f, finding)) {
                here += group.count;
                reasons.insert(&group.wait_reason);
            } else if finding.function.contains(".func") && own.is_some_and(|f| f.function == finding.function) {
                within += group.count;
            }
            if group.created_by.and_then(frame).is_some_and(|f| is_at(f, finding)) {
                started += group.count;
            }
        }
        let mut sights = Vec::new();
        let mut say = |n: u64, text: String| {
            if n >= LEAST_GOROUTINES {
                sights.push(Sight { text, weight: n as f64 / all });
            }
        };
        let mut reasons: Vec<_> = reasons.into_iter().filter(|r| !r.is_empty()).collect();
        reasons.sort_unstable();
        let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        say(here, format!("{} blocked on this line now{why}", is_are(here, "goroutine")));
        say(started, format!("{} blocked that this statement has started", is_are(started, "goroutine")));
        say(within, format!("{} blocked in this function now", is_are(within, "goroutine")));
        sights
    }

    /// What is allocated on the line, or by what it calls.
    fn allocations(&self, finding: &Finding) -> Vec<Sight> {
        let (mut here, mut below, mut within) = (0u64, 0u64, 0u64);
        let function = Function::parse(&finding.function);
        for stack in &self.allocated.stacks {
            let mut own = stack.frames.iter().filter(|f| is_in_package(f, finding));
            let innermost = own.next();
            if innermost.is_some_and(|f| is_at(f, finding)) {
                here += stack.lately.bytes;
            } else if own.any(|f| is_at(f, finding)) {
                below += stack.lately.bytes;
            } else if innermost.is_some_and(|f| Function::parse(&f.function) == function && !function.name.is_empty()) {
                within += stack.lately.bytes;
            }
        }
        let seconds = self.allocated.seconds;
        let rate = |n: u64| match seconds {
            Some(s) => format!("{}/s", bytes((n as f64 / s) as u64)),
            None => bytes(n),
        };
        let share = |n: u64| n as f64 / self.total;
        let is_are = if seconds.is_some() { "is" } else { "was" };
        let mut sights = Vec::new();
        if share(here) >= LEAST_SHARE {
            sights.push(Sight { text: format!("{} {is_are} allocated here", rate(here)), weight: share(here) });
        }
        if share(below) >= LEAST_SHARE {
            sights.push(Sight {
                text: format!("{} {is_are} allocated by what this line calls", rate(below)),
                weight: share(below),
            });
        }
        // What else the function allocates is no evidence against a line that was seen itself.
        if here + below == 0 && share(within) >= LEAST_SHARE && is_of_whole_function(&finding.code) {
            sights.push(Sight {
                text: format!("{} {is_are} allocated in this function", rate(within)),
                weight: share(within),
            });
        }
        sights
    }

    fn collections(&self) -> impl Iterator<Item = &GraphCensus> {
        self.facts.graph.iter().flat_map(|g| &g.census).chain(&self.facts.census)
    }

    /// Collections that grew, of which the finding speaks.
    fn grown(&self, finding: &Finding) -> Vec<Sight> {
        let mut sights = Vec::new();
        for row in self.collections() {
            let Some(before) = row.before.filter(|b| row.elements > b.saturating_mul(2).max(100)) else { continue };
            if !names_owner(finding, &row.owner) {
                continue;
            }
            let weight = (row.retained_bytes.max(row.bytes) as f64 / self.heap).min(1.0);
            sights.push(Sight {
                text: format!("{} grew from {} to {} elements", row.owner, count(before), count(row.elements)),
                // That it jumped is a sign by itself, where its bytes are not known.
                weight: weight.max(0.01),
            });
        }
        sights
    }

    /// Equal copies that were built here.
    fn copies(&self, finding: &Finding) -> Vec<Sight> {
        let function = Function::parse(&finding.function);
        let of = |c: &&GraphCopies| {
            let built =
                !c.site.is_empty() && (Function::parse(&c.site) == function || is_short_at(&c.site_at, finding));
            let held = c.holders.iter().any(|h| h.goroutines > 0 && Function::parse(&h.function) == function);
            // Where nobody knows who built them, who holds them may have.
            built || (c.site.is_empty() && held) || (held && finding.code == "rebuilt-per-request")
        };
        let mut sights = Vec::new();
        for c in self.facts.graph.iter().flat_map(|g| &g.copies).filter(of) {
            let weight = (c.savable_bytes as f64 / self.heap).min(1.0);
            let (copies, each) = (count(c.copies), bytes(c.bytes_each));
            let text = format!("{copies} equal copies of {} were built here, {each} each", c.type_name);
            sights.push(Sight { text, weight });
            // Where they come from: what has become as large as they are, exactly.
            let source = self.collections().find_map(|row| {
                let before = row.before.filter(|b| row.elements > b.saturating_mul(2))?;
                (row.elements == c.elements && c.elements >= LEAST_ELEMENTS).then_some((row, before))
            });
            if let Some((row, before)) = source {
                let (before, now) = (count(before), count(row.elements));
                let text = format!(
                    "each has as many elements as a collection kept by {}, which grew from {before} to {now}",
                    row.owner
                );
                sights.push(Sight { text, weight: weight / 2.0 });
            }
        }
        sights
    }

    /// Memory that is kept and not used, by what the finding stores into.
    fn waste(&self, finding: &Finding) -> Vec<Sight> {
        let fits = |w: &&GraphWaste| {
            let by_kind = match w.kind.as_str() {
                "subslice" | "substring" => finding.code.starts_with("slice-"),
                // `b[:3]` keeps the capacity of `b`: what of it is not used is room, by what the heap shows.
                "overcapacity" => ["slice-", "append-", "make-"].iter().any(|c| finding.code.starts_with(c)),
                "empty" | "oversized" => finding.code.starts_with("map-") || finding.code.starts_with("slots-"),
                _ => false,
            };
            by_kind && names_owner(finding, &w.owner)
        };
        let all = self.facts.graph.iter().flat_map(|g| &g.waste).filter(fits);
        all.map(|w| Sight {
            text: format!(
                "{} of {} kept alive by {}{}",
                bytes(w.wasted_bytes),
                bytes(w.kept_bytes),
                match w.kind.as_str() {
                    "subslice" => "this sub-slice: nothing else of it is used",
                    "substring" => "this sub-string: nothing else of it is used",
                    "overcapacity" => "this slice, as room beyond its length",
                    _ => "this: it is not used",
                },
                if w.count > 1 { format!(" ({} of them)", count(w.count)) } else { String::new() }
            ),
            weight: (w.wasted_bytes as f64 / self.heap).min(1.0),
        })
        .collect()
    }
}

/// Rules of which any line of the function may stand for it.
fn is_of_whole_function(code: &str) -> bool {
    matches!(
        code,
        "rebuilt-per-request" | "config-length-loop" | "make-without-size" | "append-never-cleared" | "map-only-grows"
    )
}

fn is_are(n: u64, word: &str) -> String {
    format!("{} {}", plural(n, word), if n == 1 { "is" } else { "are" })
}

/// Whether a frame is of the finding's package.
pub(super) fn is_in_package(frame: &Frame, finding: &Finding) -> bool {
    let package = Function::parse(&frame.function).package;
    package == finding.package || (package == "main" && finding.function.starts_with("main."))
}

/// Whether a frame stands on one of the finding's lines.
pub(super) fn is_at(frame: &Frame, finding: &Finding) -> bool {
    let base = |file: &str| file.rsplit('/').next().map(str::to_owned);
    let last = finding.place.end_line.max(finding.place.line);
    // A statement of many lines (a loop, a function) is meant by where it begins, and what is within has
    // lines of its own.
    let last = last.min(finding.place.line.saturating_add(MOST_LINES));
    is_in_package(frame, finding)
        && base(&frame.file) == base(&finding.place.file)
        && (finding.place.line..=last).contains(&frame.line)
}

/// Lines of a statement that a finding stands for.
const MOST_LINES: u32 = 8;

/// `resource-service/server.go:71` is a line of the finding.
fn is_short_at(at: &str, finding: &Finding) -> bool {
    let Some((file, line)) = at.rsplit_once(':') else { return false };
    let Ok(line) = line.parse::<u32>() else { return false };
    let base = |f: &str| f.rsplit('/').next().map(str::to_owned);
    let last = finding.place.end_line.max(finding.place.line);
    base(file) == base(&finding.place.file) && (finding.place.line..=last).contains(&line)
}

/// Whether a finding speaks of the holder: its variable by name, or the function that its goroutines are in.
pub(super) fn names_owner(finding: &Finding, owner: &str) -> bool {
    if let Some(function) = owner.strip_prefix("goroutines in ").or_else(|| owner.strip_prefix("goroutine in ")) {
        let function = function.split(' ').next().unwrap_or(function);
        return function == finding.function;
    }
    let Some(variable) = owner.strip_prefix("global ").and_then(|o| o.split(' ').next()) else { return false };
    let Some((package, name)) = variable.rsplit_once('.') else { return false };
    if package != finding.package && !(package == "main" && finding.function.starts_with("main.")) {
        return false;
    }
    let texts = [&finding.sentence, &finding.why].into_iter().chain(finding.related.iter().map(|r| &r.note));
    texts.chain(finding.evidence.iter().map(|e| &e.text)).any(|text| has_word(text, name))
}

/// Whether a text has a word, whole.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let behind = text.get(at + word.len()..).and_then(|t| t.chars().next());
        !is_part(before) && !is_part(behind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Place;
    use lastgasp_diagnosis::facts::{Amount, Gc, GraphFacts, Profile, Site};

    fn finding(code: &str, line: u32, function: &str, sentence: &str) -> Finding {
        Finding {
            code: code.into(),
            level: Level::Warning,
            place: Place { file: "svc/main.go".into(), line, end_line: line, ..Place::default() },
            package: "example.com/svc".into(),
            function: function.into(),
            sentence: sentence.into(),
            ..Finding::default()
        }
    }

    fn facts() -> Facts {
        let frame = |function: &str, line| Frame { function: function.into(), file: "/app/main.go".into(), line };
        let site = |stack: Vec<u32>, bytes| Site { stack, allocated: Amount { bytes, objects: 1 }, ..Site::default() };
        let waste = GraphWaste {
            kind: "subslice".into(),
            owner: "global main.a".into(),
            count: 1,
            kept_bytes: 4_000_000,
            used_bytes: 1_000_000,
            wasted_bytes: 3_000_000,
            ..GraphWaste::default()
        };
        let mut facts = Facts {
            frames: vec![
                frame("main.build", 7),
                frame("main.handler", 20),
                frame("main.worker.func1", 30),
                frame("fmt.Sprint", 9),
            ],
            gc: Gc { heap_in_use: 10_000_000, ..Gc::default() },
            profile: Profile {
                rate: 1,
                sites: vec![site(vec![0, 1], 900), site(vec![3, 2], 100)],
                ..Profile::default()
            },
            graph: Some(GraphFacts { waste: vec![waste], ..GraphFacts::default() }),
            ..Facts::default()
        };
        facts.target.age_ms = Some(1000);
        let group = Group {
            count: 412,
            state: GoroutineState::Waiting,
            wait_reason: "chan send".into(),
            stack: vec![2],
            created_by: Some(1),
            ..Group::default()
        };
        facts.goroutines.total = 500;
        facts.goroutines.groups = vec![group];
        facts
    }

    #[test]
    fn what_was_seen_comes_first_with_its_numbers() {
        let mut findings = vec![
            finding("lock-order", 7, "main.build", ""),
            finding("slice-kept", 3, "main.test", "the package variable `a` keeps all of b"),
            finding("rebuilt-per-request", 20, "main.handler", ""),
            finding("send-abandoned", 30, "main.worker.func1", ""),
            finding("make-without-size", 6, "main.build", ""),
        ];
        let weights = see(&mut findings, &facts());
        let order: Vec<_> = findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(order, ["rebuilt-per-request", "make-without-size", "send-abandoned", "slice-kept", "lock-order"]);
        let text = |i: usize| findings[i].evidence[0].text.as_str();
        assert_eq!(text(0), "900 B/s is allocated by what this line calls");
        assert_eq!(text(1), "900 B/s is allocated in this function");
        assert_eq!(text(2), "412 goroutines are blocked on this line now (chan send)");
        assert_eq!(text(3), "3.00 MB of 4.00 MB kept alive by this sub-slice: nothing else of it is used");
        assert!(findings[4].evidence.is_empty() && findings[4].certainty == Certainty::Syntactic);
        assert!(findings[..4].iter().all(|f| f.certainty == Certainty::Seen && f.level == Level::Critical));
        assert!(weights[0] > 0.89 && weights[4] == 0.0, "{weights:?}");
    }

    #[test]
    fn a_holder_is_named_whole_or_not_at_all() {
        let of = |sentence| names_owner(&finding("slice-kept", 1, "main.f", sentence), "global main.a .b");
        assert!(of("`a` keeps it") && of("a[3] = x"));
        assert!(!of("a_b keeps it") && !of("all of data"));
        let other = Finding { function: "svc.f".into(), ..finding("slice-kept", 1, "svc.f", "`a` keeps") };
        assert!(!names_owner(&other, "global main.a"));
    }
}
