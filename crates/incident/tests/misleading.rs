//! Evidence that is missing, late, or of somebody else than it seems: what must not be concluded from it, and
//! what may.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "other tests use more of it")]
mod world;

use lastgasp_incident::Kind as CauseKind;
use lastgasp_incident::evidence::MetricRole;
use lastgasp_incident::order::Relation;
use world::{Kind, T0, World, finding, terms, told};

const DAY: i64 = 86_400_000;

/// A stripped binary has no name for the slice that keeps everything: the code that appends to it has one,
/// and it is not on the stack that allocated what is kept. Of two that write it nobody knows which it was.
#[test]
fn who_appends_to_a_slice_without_a_name_is_who_keeps() {
    let leak = |grows_in: &[&str]| {
        let mut w = World::new();
        let mut held = finding("one-root-holds-most", "svc bss+0xfe8", "one variable keeps most of the live heap", 0.8);
        held.goroutines = Some(0);
        held.grows_in = grows_in.iter().map(|f| (*f).to_owned()).collect();
        let kind = Kind {
            subject: "main.filled",
            title: "what one function allocates stays alive",
            confidence: 0.82,
            how: "stays-alive",
            seconds: 40,
            more: vec![held],
            ..Kind::default()
        };
        w.die(4, "v1.41", T0 - DAY, T0, 7_000, &kind);
        told(w)
    };
    let known = leak(&["main.keepHead"]);
    assert_eq!((known.kind, known.key.as_str()), (CauseKind::Leak, "main.keepHead"), "{}", terms(&known));
    assert!(known.sentence.contains("main.keepHead puts it there"), "{}", known.sentence);
    let open = leak(&["main.keepHead", "main.reset"]);
    assert_eq!((open.kind, open.key.as_str()), (CauseKind::Leak, "main.(*Server).ugcTab"), "{}", terms(&open));
    assert!(open.sentence.contains("which code keeps it is not seen"), "{}", open.sentence);
}

/// Metrics that end as memory begins to grow have not counted what made it grow.
#[test]
fn what_was_not_counted_any_more_did_not_stay_as_it_was() {
    let text = |until: i64| {
        let mut w = World::new();
        w.metric(MetricRole::FirstAttempts, "svc", T0 + DAY, 100.0, 100.0);
        w.evidence.series[0].points.retain(|p| p.unix_ms < until);
        w.die(4, "v1.41", T0 - DAY, T0, 100, &Kind::default());
        let i = told(w);
        let o = i.order.iter().find(|o| o.series == "first attempts").unwrap();
        (o.relation, o.text.clone(), terms(&i))
    };
    let (relation, said, terms) = text(T0 - 1_000);
    assert_eq!(relation, Relation::Unknown, "{said}");
    assert!(said.contains("what came as memory grew was not counted"), "{said}");
    assert!(!terms.contains("it was not asked more often"), "{terms}");
    assert_eq!(text(T0 + 60_000).0, Relation::Steady);
}

/// More attempts are no retries where retries are counted by themselves and came after memory.
#[test]
fn more_attempts_are_no_storm_where_retries_came_later() {
    let of = |retries_at: i64| {
        let mut w = World::new();
        w.metric(MetricRole::FirstAttempts, "svc", T0 + DAY, 100.0, 100.0);
        w.metric(MetricRole::Attempts, "svc", T0 - 3_000, 100.0, 160.0);
        w.metric(MetricRole::Retries, "svc", retries_at, 0.0, 60.0);
        w.die(4, "v1.41", T0 - DAY, T0, 100, &Kind { pace: Some(900.0), ..Kind::default() });
        told(w)
    };
    let later = of(T0 + 3_000);
    assert_ne!(later.key, "retries", "{}", terms(&later));
    let storm = of(T0 - 3_500);
    assert!(
        storm.causes.iter().any(|c| c.key == "retries" && c.terms.iter().any(|t| t.name == "retries")),
        "{}",
        terms(&storm)
    );
}
