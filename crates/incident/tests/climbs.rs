//! Incidents before anybody has died: memory climbs in several instances, and no capture was taken.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "other tests use more of it")]
mod world;

use lastgasp_incident::evidence::{ChangeKind, Climb, Ending, MetricRole};
use lastgasp_incident::{Kind, incidents};
use world::{T0, World, scope_of, told};

const DAY: i64 = 86_400_000;
const LIMIT: u64 = 860_000_000;

/// Began a minute before and goes on: 200 to 500 MB, nearly all of it in the Go heap.
fn climb() -> Climb {
    Climb {
        since_unix_ms: T0 - 62_000,
        begun_unix_ms: T0 - 57_000,
        seen_unix_ms: T0 - 2_000,
        was_at_rest: true,
        from_bytes: 200_000_000,
        to_bytes: 500_000_000,
        heap_from_bytes: 150_000_000,
        heap_to_bytes: 440_000_000,
        goroutines_from: 180,
        goroutines_half: 182,
        goroutines_to: 185,
    }
}

/// Four instances, of which so many climb.
fn world(n: usize, climb: Climb) -> World {
    let mut w = World::new();
    w.live(4, "v1.42", T0 - DAY);
    for g in w.evidence.generations.iter_mut().take(n) {
        (g.climb, g.limit_bytes) = (Some(climb), Some(LIMIT));
    }
    w
}

fn steady(w: &mut World) {
    w.metric(MetricRole::FirstAttempts, "svc", T0 + DAY, 100.0, 100.0);
}

#[test]
fn a_leak_is_told_before_the_first_death_and_how_long_it_takes() {
    let mut w = world(3, climb());
    steady(&mut w);
    let i = told(w);
    assert_eq!((i.kills, i.nearly, i.kind), (0, 3, Kind::Leak), "{i:#?}");
    assert!(i.confidence > 0.4 && i.confidence <= 0.6, "{}", i.confidence);
    let c = i.climbs.as_ref().unwrap();
    assert_eq!((c.instances, c.limit_bytes, c.seconds_left.round()), (3, LIMIT, 72.0));
    assert!(
        i.sentence.starts_with("nobody of svc has died yet, and memory climbs in 3 of 4 instances: at this pace ")
            && i.sentence.contains("reaches its limit of 860 MB in 72 s; probably because"),
        "{}",
        i.sentence
    );
    assert!(i.unknown.iter().any(|u| u.contains("of 3 of 3 processes there is no capture")), "{:?}", i.unknown);
    assert!(i.do_now.iter().any(|a| a.act.contains("lastgasp capture PID --heap")), "{:?}", i.do_now);
    assert!(i.sentence.find("killed").is_none(), "{}", i.sentence);
}

#[test]
fn goroutines_that_rise_with_it_are_what_leaks() {
    let mut w = world(4, Climb { goroutines_half: 300, goroutines_to: 420, ..climb() });
    steady(&mut w);
    let i = told(w);
    assert_eq!(i.kind, Kind::GoroutineLeak, "{i:#?}");
    assert!(i.sentence.contains("180 -> 420 goroutines"), "{}", i.sentence);
}

#[test]
fn what_is_not_of_the_heap_is_off_heap() {
    let i = told(world(2, Climb { heap_to_bytes: 170_000_000, ..climb() }));
    assert_eq!(i.kind, Kind::OffHeap, "{i:#?}");
    assert!(i.confidence <= 0.6);
}

#[test]
fn more_requests_are_no_leak() {
    let mut w = world(4, climb());
    w.metric(MetricRole::FirstAttempts, "svc", T0 - 63_000, 100.0, 400.0);
    let i = told(w);
    assert_eq!(i.kind, Kind::Traffic, "{i:#?}");
    assert!(i.confidence <= 0.6, "nobody looked inside");
}

#[test]
fn a_lower_limit_makes_nobody_climb() {
    let mut w = world(2, climb());
    for g in w.evidence.generations.iter_mut().skip(2) {
        g.limit_bytes = Some(LIMIT / 100 * 112);
    }
    let i = told(w);
    assert!(i.kind != Kind::Limit && i.causes.iter().all(|c| c.kind != Kind::Limit), "{i:#?}");
}

#[test]
fn a_release_is_named_where_it_alone_climbs() {
    let mut w = World::new();
    w.live(12, "v1.41", T0 - DAY);
    w.live(6, "v1.42", T0 - 70_000);
    w.feed("webhook", &[ChangeKind::Release]);
    let told_of = w.change(ChangeKind::Release, "svc", T0 - 71_000);
    (told_of.to, told_of.scope) = ("v1.42".into(), scope_of("svc"));
    for g in w.evidence.generations.iter_mut().skip(12) {
        (g.climb, g.limit_bytes) = (Some(climb()), Some(LIMIT));
    }
    let i = told(w);
    assert_eq!((i.kind, i.key.as_str()), (Kind::Release, "v1.42"), "{i:#?}");
    assert!(i.confidence <= 0.6);
}

#[test]
fn what_rests_or_has_ended_or_is_small_is_none() {
    assert!(incidents(world(0, climb()).evidence, Some("svc")).is_empty());
    let far = Climb { to_bytes: 300_000_000, ..climb() };
    assert!(incidents(world(1, far).evidence, Some("svc")).is_empty(), "one of four, and far from its limit");
    let mut w = world(2, climb());
    for g in w.evidence.generations.iter_mut().take(2) {
        (g.ending, g.ended_unix_ms) = (Ending::Stopped, Some(T0));
    }
    assert!(incidents(w.evidence, Some("svc")).is_empty(), "restarted in time");
}

/// The watch tells of a life again as it goes on: what it told last counts, also that the climb is over.
#[test]
fn a_climb_that_came_to_rest_is_forgotten() {
    let mut w = world(4, climb());
    let later: Vec<_> = w.evidence.generations.clone();
    w.evidence.generations.extend(later.into_iter().map(|mut g| {
        (g.climb, g.last_seen_unix_ms) = (None, g.last_seen_unix_ms.max(T0) + 60_000);
        g
    }));
    assert!(incidents(w.evidence, Some("svc")).is_empty());
}
