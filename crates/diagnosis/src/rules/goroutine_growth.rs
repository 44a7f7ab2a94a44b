//! Goroutines that pile up. The page: `goroutine-growth.md`.

use std::collections::BTreeMap;

use super::deep_stacks;
use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, Frame, GraphPath, Group};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::goroutine_verdicts::GoroutineVerdicts;
use crate::heap_cause::{HeapCause, Mechanism, a_few_each};
use crate::library_waits::library_wait;
use crate::owner::{frame, is_inside, is_standard_library, owner_on};
use crate::reachability::goroutines_of;
use crate::rival::Told;
use crate::sentence::level;
use crate::subject::Subject;
use crate::suspects::program_frame;
use crate::thresholds::goroutine_growth::{
    AS_MANY_ONE_IN, IN_FLIGHT_ONE_IN, MIN_GOROUTINES, MIN_SHARE, RULED_OUT_SHARE,
};
use crate::thresholds::heap_growth::MIN_CALLS;
use crate::units::{bytes, count, percent, plural, short};
use crate::unknown::About;
use crate::wait_cures::{Known, cure, deadline};
use crate::waits::{Doing, Wait, doing, innermost, is_of_the_wait, is_writing};
use crate::window::Window;

/// What a server of `net/http` calls a handler by: who waits for the next request of a connection is not in
/// it.
const SERVES: &str = "net/http.serverHandler.ServeHTTP";

/// The rule.
pub(super) struct GoroutineGrowth;

impl Rule for GoroutineGrowth {
    const INFO: RuleInfo = RuleInfo {
        code: "goroutine-growth",
        title: "goroutines pile up, and their stacks are the growth",
        doc: include_str!("goroutine-growth.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let Some(w) = case.window {
            rule_out_stacks(case, w, out);
            // What deep stacks, or calls that wait with more than their stacks, are the matter of.
            let told = deep_stacks::are_most(case.facts)
                || case
                    .heap
                    .is_some_and(|h| h.mechanism == Mechanism::WaitingCalls && h.parts.heap / 2 > h.parts.stacks);
            out.found(find(case.facts, w, case.goroutines).filter(|_| !told));
        }
        let groups = case.facts.goroutines.groups.iter();
        let approximate: u64 = groups.filter(|g| g.approximate).map(|g| g.count).fold(0, u64::saturating_add);
        if approximate > 0 {
            out.not_known(
                About::Place,
                format!(
                    "where {approximate} running goroutines were to the instruction: their registers died with the process"
                ),
            );
        }
    }
}

/// Stacks that are hardly any of the growth.
fn rule_out_stacks(case: &Case<'_>, w: &Window, out: &mut Findings) {
    let g = &case.facts.goroutines;
    let share = g.stack_bytes as f64 / w.growth().max(1) as f64;
    if g.total == 0 || share >= RULED_OUT_SHARE {
        return;
    }
    let mut because = format!(
        "{}, {} of stacks: {} of the growth",
        plural(g.total, "goroutine"),
        bytes(g.stack_bytes),
        percent(share)
    );
    // Only where the calls are the growth: of a cache that thrashed it was once said that "91 of them are the
    // calls in flight, and what they hold is the growth" (coredns).
    let settled = |h: &&HeapCause<'_>| h.rivals.iter().all(|r| r.told == Told::Apart);
    let of_calls = |h: &&HeapCause<'_>| matches!(h.mechanism, Mechanism::CallsAtWork(_) | Mechanism::WaitingCalls);
    let theirs = case.heap.filter(|h| of_calls(h) && settled(h));
    let calls = theirs.and_then(|h| h.calls.as_ref()).map_or(0, |c| c.total);
    if calls >= MIN_CALLS && calls.saturating_mul(IN_FLIGHT_ONE_IN) > g.total {
        because += &format!("; {} of them are the calls in flight, and what they hold is the growth", count(calls));
    }
    // How many are calls is inference; the stacks are counted.
    let source = if theirs.is_some() { Source::Estimated } else { Source::Exact };
    out.rule_out("goroutine stacks", because, source);
}

fn find(facts: &Facts, w: &Window, verdicts: &GoroutineVerdicts) -> Option<Finding> {
    let g = &facts.goroutines;
    // Stacks that were there before the growth are not the growth.
    let before = facts.at_baseline().map_or(0, |(gc, _)| gc.stacks);
    // What is reserved of a stack is touched as far as it is used: 579 MB of stacks were once the growth of a
    // process that had 317 MB.
    let used = if g.stack_used_bytes > 0 { g.stack_used_bytes.min(g.stack_bytes) } else { g.stack_bytes };
    let grown = used.saturating_sub(before).min(w.growth());
    let share = grown as f64 / w.growth().max(1) as f64;
    if g.total < MIN_GOROUTINES || share < MIN_SHARE {
        return None;
    }
    let (creator, started) = main_creator(facts);
    let largest = g
        .groups
        .iter()
        .filter(|group| creator.is_none() || group.created_by.and_then(|i| frame(facts, i)) == creator)
        .max_by_key(|g| g.count)?;
    let name =
        |i: Option<&u32>| i.and_then(|i| frame(facts, *i)).map_or("an unknown function", |f| f.function.as_str());
    let served = served(facts, largest);
    let mut kin = kin(facts, largest);
    if let Some((_, others)) = served.split_first() {
        kin.retain(|g| !is_inside(facts, &g.stack, SERVES));
        kin.extend(others.iter().copied().chain([largest]));
    }
    let largest = served.first().copied().unwrap_or(largest);
    // Of goroutines that come together those are named that are in code of the program's: a client's
    // connection has two of the library's for each that asks (seen from outside: vegeta, dnss, told as "in
    // runtime.gopark").
    let module = &facts.target.module.path;
    let own = |group: &Group| owner_on(facts, &group.stack).filter(|f| !is_standard_library(&f.function, module));
    let group = std::iter::once(largest).chain(kin.iter().copied()).find(|g| own(g).is_some()).unwrap_or(largest);
    let beside: Vec<&Group> =
        std::iter::once(largest).chain(kin.iter().copied()).filter(|g| !std::ptr::eq(*g, group)).collect();
    let starter = || program_frame(facts, group).filter(|f| !is_of_the_wait(&f.function));
    let innermost = || innermost(facts, group);
    let at = own(group).or_else(starter).or_else(innermost).or_else(|| frame(facts, *group.stack.first()?));
    let place = at.map_or("an unknown function", |f| f.function.as_str());
    let state = group.why();
    let crowd = kin.iter().map(|g| g.count).fold(largest.count, u64::saturating_add);
    let behind = led_to(facts, largest, &kin).min(w.growth().saturating_sub(grown));
    let all = (grown.saturating_add(behind)) as f64 / w.growth().max(1) as f64;
    // A verdict on few of them is not that on all.
    let cause = verdicts.pile_in(place).filter(|g| g.count.saturating_mul(2) >= group.count);
    let library = library_wait(facts, group);
    let because = cause.map_or_else(String::new, |g| format!(": {}", g.cause));
    let who = match creator {
        Some(f) => format!(
            "{} of {} goroutines were started by {} ({}:{}), the largest part of them in {place} ({state})",
            count(started),
            count(g.total),
            f.function,
            short(&f.file),
            f.line
        ),
        None => format!(
            "{} of {} goroutines are in {place} ({state}){}",
            count(group.count),
            count(g.total),
            match served.as_slice() {
                [] => as_many(facts, &beside, place),
                _ => format!(", of {} requests that are being served", count(number(&served))),
            }
        ),
    };
    let with = match behind {
        0 => String::new(),
        n => format!("; with what each of them leads to in the heap, {}, that is {}", bytes(n), percent(all.min(1.0))),
    };
    Some(Finding {
        code: GoroutineGrowth::INFO.code,
        subject: match creator {
            Some(f) => Subject::go_statement(f, starts(facts, f)),
            None => at.map_or(Subject::Process, Subject::site),
        },
        level: level(facts, w.end_bytes),
        title: match doing(facts, group) {
            Doing::Waiting(_) if library.is_some() => {
                format!("goroutines pile up, and wait for {}", library.map_or("", |l| l.what))
            }
            Doing::Waiting(_) if is_writing(facts, group) => {
                "goroutines pile up, and wait for the other end to read what they write".into()
            }
            Doing::Waiting(wait) => format!("goroutines pile up, and wait for {}", wait.what()),
            Doing::Working => "goroutines pile up, and are at work".into(),
        },
        sentence: format!(
            "{who}{because}; their stacks grew by {}, {} of the growth, about {} each{with}.",
            bytes(grown),
            percent(share.min(1.0)),
            bytes(used / g.total.max(1))
        ),
        factors: vec![
            ConfidenceFactor {
                name: "share of the growth that is stacks, and what each of them leads to",
                value: all.min(1.0),
            },
            ConfidenceFactor {
                name: "share of the goroutines that it is about",
                value: (started.max(crowd) as f64 / g.total.max(1) as f64).min(1.0),
            },
        ]
        .into_iter()
        .chain((!served.is_empty()).then(|| ConfidenceFactor {
            name: "share of the requests being served that are there",
            value: group.count as f64 / number(&served).max(1) as f64,
        }))
        .collect(),
        rivals: Vec::new(),
        evidence: g
            .groups
            .iter()
            .take(3)
            .map(|group| Evidence {
                text: format!(
                    "{} in {} ({})",
                    count(group.count),
                    name(
                        group
                            .stack
                            .iter()
                            .find(|i| frame(facts, **i).is_some_and(|f| !is_of_the_wait(&f.function)))
                            .or_else(|| group.stack.first())
                    ),
                    group.why()
                ),
                source: Source::Exact,
            })
            .collect(),
        cure: match doing(facts, group) {
            _ if library.is_some() => library.map_or_else(String::new, |l| l.cure.to_owned()),
            _ if cause.is_some() => cause.map(|g| g.cure.clone()).unwrap_or_default(),
            Doing::Waiting(wait) => {
                let (deadline, writes) = (deadline(group), is_writing(facts, group));
                let wakes_within_ns = verdicts.wakes_within_ns(place);
                let known = Known { deadline, writes, wakes_within_ns, ..Known::default() };
                match creator.filter(|_| wait == Wait::ChanSend && are_some_past_it(facts, group, at)) {
                    Some(starts) => format!(
                        "If the channel is a semaphore (who sends takes a slot, and gives it back): take the slot in {} before the go statement, so that no more are started than may run (errgroup.SetLimit does so). Else: {}",
                        starts.function,
                        cure(wait, place, known)
                    ),
                    None => cure(wait, place, known),
                }
            }
            Doing::Working => format!(
                "Bound how many goroutines may be in {place} at a time: they are at work, and more come than go."
            ),
        },
        site: None,
        do_now: vec![
            (
                format!("Restart the instances in which many goroutines are in {place}"),
                "it frees them, and they pile up again until the cause is gone".to_owned(),
            ),
            ("Let fewer in: shed load, cut the callers' retries".to_owned(), String::new()),
        ],
    })
}

/// Whether some that the same `go` statement has started are in the same function and no longer wait to send:
/// a send that lets so many in at a time is a semaphore's (seen: a goroutine for each of 64,470 records, 16
/// of them in an upload; a channel with room for each, as the cure was, would have let all of them in).
fn are_some_past_it(facts: &Facts, waiting: &Group, at: Option<&Frame>) -> bool {
    let Some(at) = at else { return false };
    let mut others = facts.goroutines.groups.iter().filter(|g| g.created_by == waiting.created_by);
    others.any(|g| doing(facts, g) != Doing::Waiting(Wait::ChanSend) && is_inside(facts, &g.stack, &at.function))
}

/// The `go` statement that started most of the goroutines, if it started the majority, and how many.
fn main_creator(facts: &Facts) -> (Option<&Frame>, u64) {
    let mut by: BTreeMap<&Frame, u64> = BTreeMap::new();
    for group in &facts.goroutines.groups {
        if let Some(f) = group.created_by.and_then(|i| frame(facts, i)) {
            let n = by.entry(f).or_default();
            *n = group.count.saturating_add(*n);
        }
    }
    let most = by.into_iter().max_by_key(|(_, n)| *n).filter(|(_, n)| n.saturating_mul(2) > facts.goroutines.total);
    most.map_or((None, 0), |(f, n)| (Some(f), n))
}

/// Groups that are as many as the largest: of one call, or one connection, each has a goroutine (seen from
/// outside: a server of web sockets, four goroutines for each of 2,694 connections, told as a quarter of the
/// matter).
fn kin<'a>(facts: &'a Facts, largest: &Group) -> Vec<&'a Group> {
    let near = |n: u64| n.abs_diff(largest.count).saturating_mul(AS_MANY_ONE_IN) <= largest.count;
    let others = facts.goroutines.groups.iter().filter(|g| !std::ptr::eq(*g, largest));
    others.filter(|g| largest.count >= MIN_GOROUTINES && near(g.count)).collect()
}

/// Requests that a server of `net/http` is serving, by where they are, the largest group first, where the
/// largest of all goroutines only watch their connections: one for each request, and no reason why it does
/// not end (seen from outside: caddy, whose requests waited for a lock, told as "goroutines wait for I/O").
fn served<'a>(facts: &'a Facts, largest: &Group) -> Vec<&'a Group> {
    let serves = |g: &&Group| is_inside(facts, &g.stack, SERVES);
    let mut out: Vec<&Group> = match is_inside(facts, &largest.stack, "net/http.(*connReader).backgroundRead") {
        true => facts.goroutines.groups.iter().filter(serves).collect(),
        false => Vec::new(),
    };
    out.sort_by_key(|g| std::cmp::Reverse(g.count));
    let watched = number(&out).saturating_mul(2) > largest.count;
    if watched { out } else { Vec::new() }
}

/// How many goroutines they are.
fn number(groups: &[&Group]) -> u64 {
    groups.iter().map(|g| g.count).fold(0, u64::saturating_add)
}

/// `, and as many each in main.process and main.write`: of whatever they serve each has one of these.
fn as_many(facts: &Facts, kin: &[&Group], place: &str) -> String {
    let mut places: Vec<&str> =
        kin.iter().filter_map(|g| owner_on(facts, &g.stack)).map(|f| f.function.as_str()).collect();
    places.sort_unstable();
    places.dedup();
    // What a wait goes through, and where the others are already said to be, tells nothing.
    places.retain(|f| !is_of_the_wait(f) && *f != place);
    match places.split_last() {
        None => String::new(),
        Some((last, [])) => format!(", and as many in {last}"),
        Some((last, others)) => format!(", and as many each in {} and {last}", others.join(", ")),
    }
}

/// Bytes of the heap that each of them leads to by itself: by ways that begin at them, to one object or a few
/// for each. What all of them lead to is no one's.
fn led_to(facts: &Facts, largest: &Group, kin: &[&Group]) -> u64 {
    let Some(graph) = facts.graph.as_ref().filter(|g| g.of_one_moment) else { return 0 };
    let groups = || kin.iter().copied().chain([largest]);
    let of_them = |path: &&GraphPath| {
        let from = goroutines_of(path);
        from.is_some_and(|f| groups().any(|g| is_inside(facts, &g.stack, f))) && a_few_each(path.objects, largest.count)
    };
    graph.paths.iter().filter(of_them).map(|p| p.bytes).fold(0, u64::saturating_add)
}

/// The function that most goroutines of a `go` statement began in, as far as their stacks were read.
fn starts<'a>(facts: &'a Facts, creator: &Frame) -> &'a str {
    let mut by: BTreeMap<&str, u64> = BTreeMap::new();
    for group in &facts.goroutines.groups {
        if group.created_by.and_then(|i| frame(facts, i)) == Some(creator)
            && let Some(f) = group.stack.last().and_then(|i| frame(facts, *i))
        {
            let n = by.entry(f.function.as_str()).or_default();
            *n = group.count.saturating_add(*n);
        }
    }
    by.into_iter().max_by_key(|(_, n)| *n).map_or("", |(f, _)| f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Gc, Goroutines, GraphFacts, Group};

    fn facts(groups: &[(u64, u32, u32)]) -> (Facts, Window) {
        let frames = ["main.handle", "main.worker", "main.deep", "main.other"];
        let frames =
            frames.iter().map(|f| Frame { function: (*f).into(), file: "svc/main.go".into(), line: 4 }).collect();
        let groups: Vec<Group> = groups
            .iter()
            .map(|(count, place, creator)| Group {
                count: *count,
                state: "waiting".into(),
                wait_reason: "chan receive".into(),
                stack: vec![*place],
                created_by: Some(*creator),
                ..Group::default()
            })
            .collect();
        let total = groups.iter().map(|g| g.count).sum();
        let goroutines = Goroutines { total, stack_bytes: 400_000_000, groups, ..Goroutines::default() };
        let window = Window { end_bytes: 500_000_000, end_ms: 1000, ..Window::default() };
        (Facts { frames, goroutines, ..Facts::default() }, window)
    }

    /// As an exporter had it: a goroutine for each record, and the slot is taken within.
    #[test]
    fn a_send_that_some_are_past_may_be_a_semaphores() {
        let cure = |past: bool| {
            let (mut facts, window) = facts(&[(60_000, 1, 0), (16, 1, 0)]);
            facts.goroutines.groups[0].wait_reason = "chan send".into();
            facts.goroutines.groups[1].wait_reason = if past { "sleep" } else { "chan send" }.into();
            find(&facts, &window, &GoroutineVerdicts::default()).unwrap().cure
        };
        assert!(cure(true).starts_with("If the channel is a semaphore"), "{}", cure(true));
        assert!(cure(true).contains("take the slot in main.handle before the go statement"), "{}", cure(true));
        assert!(cure(false).starts_with("See who should receive"), "{}", cure(false));
    }

    #[test]
    fn two_halves_of_one_leak_are_named_by_who_started_them() {
        let (f, w) = facts(&[(30_000, 1, 0), (29_000, 2, 0), (10, 3, 3)]);
        let found = find(&f, &w, &GoroutineVerdicts::default()).unwrap();
        assert!(
            found.sentence.starts_with("59,000 of 59,010 goroutines were started by main.handle (svc/main.go:4)"),
            "{}",
            found.sentence
        );
        assert!(found.confidence() > 0.75);
    }

    /// The total of the stacks was printed as what they grew by.
    #[test]
    fn stacks_that_were_there_before_are_not_the_growth() {
        let (mut f, w) = facts(&[(30_000, 1, 0)]);
        f.profile.baseline_t_ms = Some(0);
        f.profile.baseline_gc = Some(Gc { stacks: 150_000_000, ..Gc::default() });
        let found = find(&f, &w, &GoroutineVerdicts::default()).unwrap();
        assert!(
            found.sentence.ends_with("their stacks grew by 250 MB, 50 % of the growth, about 13.3 kB each."),
            "{}",
            found.sentence
        );
    }

    #[test]
    fn the_subject_is_the_go_statement_or_else_the_place() {
        let (f, w) = facts(&[(30_000, 1, 0), (29_000, 2, 0)]);
        let go = Subject::GoStatement {
            function: "main.handle".into(),
            file: "svc/main.go".into(),
            starts: "main.worker".into(),
        };
        assert_eq!(find(&f, &w, &GoroutineVerdicts::default()).unwrap().subject, go);
        let (mut f, w) = facts(&[(30_000, 1, 0)]);
        f.goroutines.groups[0].created_by = None;
        let site = Subject::Site { function: "main.worker".into(), file: "svc/main.go".into() };
        assert_eq!(find(&f, &w, &GoroutineVerdicts::default()).unwrap().subject, site);
    }

    /// As a server of web sockets had it: four goroutines for each of 2,694 connections.
    #[test]
    fn goroutines_of_one_connection_are_one_crowd() {
        let (mut f, w) = facts(&[(2695, 0, 3), (2690, 1, 2), (2694, 2, 0), (30, 3, 1)]);
        f.goroutines.stack_bytes = 150_000_000;
        let path = |first: &str, objects: u64, bytes: u64| GraphPath {
            steps: vec![first.into(), ".buf".into()],
            objects,
            bytes,
            ..GraphPath::default()
        };
        let paths = vec![
            path("goroutines in main.worker [frame main.worker]", 2694, 40_000_000),
            path("goroutines in main.other", 30, 90_000_000),
            // What all of them lead to.
            path("goroutines in main.handle", 700_000, 90_000_000),
        ];
        f.graph = Some(GraphFacts { of_one_moment: true, paths, ..GraphFacts::default() });
        let found = find(&f, &w, &GoroutineVerdicts::default()).unwrap();
        let said = "are in main.handle (chan receive), and as many each in main.deep and main.worker; their stacks grew by 150 MB, 30 % of the growth, about 18.5 kB each; with what each of them leads to in the heap, 40.0 MB, that is 38 %.";
        assert!(found.sentence.ends_with(said), "{}", found.sentence);
        assert!((found.confidence() - 0.38).abs() < 0.01, "{}", found.confidence());
    }

    /// As caddy had it: a goroutine watches the connection of each request, and the requests are in several
    /// places.
    #[test]
    fn requests_that_are_served_are_named_and_not_who_watches_their_connections() {
        let (mut f, w) = facts(&[(1_547, 0, 3), (1_290, 1, 2), (160, 2, 2), (97, 3, 2), (1_546, 3, 1), (900, 3, 2)]);
        let frames = ["net/http.(*connReader).backgroundRead", SERVES, "net/http.(*conn).serve"];
        for name in frames {
            f.frames.push(Frame { function: name.into(), file: "http/server.go".into(), line: 700 });
        }
        f.goroutines.groups[0].stack = vec![4];
        f.goroutines.groups[0].wait_reason = "IO wait".into();
        for (at, place) in [(1, 1), (2, 2), (3, 3)] {
            f.goroutines.groups[at].stack = vec![place, 5, 6];
            f.goroutines.groups[at].created_by = None;
        }
        // Connections that wait for the next request are served none.
        f.goroutines.groups[5].stack = vec![6];
        f.goroutines.groups[5].created_by = None;
        let found = find(&f, &w, &GoroutineVerdicts::default()).unwrap();
        let said =
            "1,290 of 5,540 goroutines are in main.worker (chan receive), of 1,547 requests that are being served;";
        assert!(found.sentence.starts_with(said), "{}", found.sentence);
        assert!(found.title.ends_with("wait for somebody to send to their channel"), "{}", found.title);
        let there = found.factors.iter().find(|f| f.name.starts_with("share of the requests")).unwrap();
        assert!((there.value - 0.834).abs() < 0.001);
        // What each request has beside it, as a client's connection, is of the crowd.
        let about = found.factors.iter().find(|f| f.name.starts_with("share of the goroutines")).unwrap();
        assert!((about.value - 4_640.0 / 5_540.0).abs() < 0.001, "{}", about.value);
    }

    /// Of a client's connections nobody has code of the program's on its stack (`lab/deaths`,
    /// unclosed-bodies).
    #[test]
    fn what_a_wait_goes_through_is_no_place() {
        let (mut f, w) = facts(&[(30_000, 1, 1)]);
        for (at, name) in [(0, "runtime.gopark"), (1, "net/http.(*persistConn).readLoop")] {
            f.frames[at].function = name.into();
        }
        f.goroutines.groups[0].stack = vec![0, 1];
        f.goroutines.groups[0].created_by = None;
        let found = find(&f, &w, &GoroutineVerdicts::default()).unwrap();
        assert!(found.sentence.contains("are in net/http.(*persistConn).readLoop"), "{}", found.sentence);
    }

    #[test]
    fn a_few_goroutines_are_no_finding() {
        let (f, w) = facts(&[(400, 1, 0)]);
        assert_eq!(find(&f, &w, &GoroutineVerdicts::default()), None);
    }
}
