//! The cause of a capture: what other victims of the same death have in common with it. Captures and webhooks
//! are told apart by it.

use crate::diagnose::Diagnosis;
use crate::facts::Facts;

/// Service, build, rule, fingerprint and subject of the verdict, for people to read and otherwise good only
/// to be compared: equal for victims of one cause, and for no others. The last word is the function that is
/// blamed, or `-`; where no rule fired, the function that grew most.
#[must_use]
pub fn cause(facts: &Facts, diagnosis: &Diagnosis) -> String {
    let target = &facts.target;
    let build = match &target.vcs {
        Some(vcs) => vcs.revision.get(..12).unwrap_or(&vcs.revision),
        None if target.module.version.is_empty() => target.build_id.as_deref().unwrap_or("-"),
        None => &target.module.version,
    };
    let what = match diagnosis.verdict() {
        Some(f) => format!("{} {} {}", f.code, f.fingerprint(), f.subject),
        None => {
            let culprit = diagnosis.growth.culprit.as_ref().map_or("-", |c| c.frame.function.as_str());
            format!("nothing {culprit}")
        }
    };
    format!("{} {build}: {what}", target.service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Capture, Frame, Goroutines, Group, Sample, Target, Timeline};

    /// Goroutines of two kinds, each kind started by a `go` statement of its own in that function, running
    /// `starts`; the first kind is in two places.
    fn leak(creator: &str, starts: &str, line: u32, places: [u64; 2]) -> Facts {
        let names = [creator, starts, "main.wait", "main.send"];
        let frames = names.map(|f| Frame { function: f.into(), file: "svc/main.go".into(), line });
        let group = |count, place| Group {
            count,
            state: "waiting".into(),
            wait_reason: "chan receive".into(),
            stack: vec![place, 1],
            created_by: Some(0),
            ..Group::default()
        };
        let sample = |t_ms, usage_bytes| Sample { t_ms, usage_bytes, ..Sample::default() };
        Facts {
            capture: Capture { t_ms: 10_000, ..Capture::default() },
            target: Target { service: "svc".into(), build_id: Some("b1".into()), ..Target::default() },
            frames: frames.into(),
            goroutines: Goroutines {
                total: places[0] + places[1],
                stack_bytes: 400_000_000,
                groups: vec![group(places[0], 2), group(places[1], 3)],
                ..Goroutines::default()
            },
            timeline: Timeline {
                samples: (0..100).map(|i| sample(i * 100, 20_000_000 + i * 5_000_000)).collect(),
                ..Timeline::default()
            },
            ..Facts::default()
        }
    }

    fn of(facts: &Facts) -> String {
        let d = diagnose(facts);
        assert_eq!(d.verdict().map(|f| f.code), Some("goroutine-growth"));
        cause(facts, &d)
    }

    /// They were one cause once, and the second of them was written light.
    #[test]
    fn two_goroutine_leaks_of_one_build_are_two_causes() {
        let known = of(&leak("main.serve", "main.worker", 4, [30_000, 10_000]));
        assert!(known.starts_with("svc b1: goroutine-growth ") && known.ends_with(" main.serve"), "{known}");
        assert_ne!(of(&leak("main.poll", "main.worker", 4, [30_000, 10_000])), known);
        assert_ne!(of(&leak("main.serve", "main.serve.func2", 4, [30_000, 10_000])), known);
    }

    #[test]
    fn another_victim_of_one_leak_has_the_same_cause() {
        let known = of(&leak("main.serve", "main.worker", 4, [30_000, 10_000]));
        // Most of them wait elsewhere by now.
        assert_eq!(of(&leak("main.serve", "main.worker", 4, [20_000, 60_000])), known);
        let mut next = leak("main.serve", "main.worker", 4, [30_000, 10_000]);
        next.target.build_id = Some("b2".into());
        assert_ne!(of(&next), known, "another build is another cause");
    }

    #[test]
    fn where_no_rule_fired_there_is_a_cause_all_the_same() {
        let facts = Facts { target: Target { service: "svc".into(), ..Target::default() }, ..Facts::default() };
        assert_eq!(cause(&facts, &diagnose(&facts)), "svc -: nothing -");
    }
}
