//! A death in words: how old the process was, how long it had stood at its limit, what died before; by which
//! captures it is told; who else was in the group.

use lastgasp_diagnosis::facts::{Facts, Figure};
use lastgasp_diagnosis::units::{bytes, count, seconds};
use lastgasp_diagnosis::{AtLimit, at_limit};

/// A stand at the limit that is worth a word, in milliseconds.
const WORTH_SAYING_MS: u64 = 1000;

/// The death in one sentence; `None` if it is not known that the target died, or nothing is known of how.
#[must_use]
pub fn death_sentence(facts: &Facts) -> Option<String> {
    let death = facts.death.as_ref()?;
    let mut said = Vec::new();
    if let Some(ms) = facts.age_ms() {
        said.push(format!("was {} old", seconds(ms as f64 / 1000.0)));
    }
    if let Some(AtLimit { ms, at_least }) = at_limit(facts).filter(|a| a.ms >= WORTH_SAYING_MS) {
        let at_least = if at_least { "at least " } else { "" };
        let limit = facts.target.limit_bytes.map_or_else(String::new, |l| format!(" of {}", bytes(l)));
        said.push(format!("had stood at its limit{limit} for {at_least}{}", seconds(ms as f64 / 1000.0)));
    }
    let before = death.before.as_ref().filter(|b| b.last_day > 0).map(|b| {
        let first = b.since.as_ref().map_or_else(String::new, |s| format!(", first at {s}"));
        let when = match b.last_hour {
            n if n == b.last_day => format!("{} in the hour before", times(n)),
            0 => format!("{} in the day before and not in the last hour", times(b.last_day)),
            n => format!("{} in the day before, {} of these in the last hour", times(b.last_day), count(n)),
        };
        format!("{} had died {when} (as far as the store remembers{first})", facts.target.service)
    });
    // The kernel takes the largest first, which may have been another (seen from outside: a service beside a
    // script that was killed five seconds before it, of which no report said a word).
    let killed = facts.timeline.events.iter().find(|e| e.kind == "neighbours-killed").map(|e| e.text.clone());
    let of_it = (!said.is_empty()).then(|| format!("the process {}", said.join(" and ")));
    let parts: Vec<String> = of_it.into_iter().chain(killed).chain(before).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn times(n: u64) -> String {
    match n {
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{} times", count(n)),
    }
}

/// Lines for the terminal: the sentence; where there is more than one capture, which figures are of which.
pub(crate) fn death_lines(facts: &Facts) -> Vec<String> {
    let mut lines: Vec<String> = death_sentence(facts).into_iter().collect();
    let parts = facts.death.as_ref().map(|d| d.parts.as_slice()).unwrap_or_default();
    if parts.len() > 1 {
        lines.push(format!("told by {} captures of it:", count(parts.len() as u64)));
        let last = parts.len() - 1;
        let mut no_more = 0;
        for (i, part) in parts.iter().enumerate() {
            // The timeline is in all of them.
            if i < last && part.gives.iter().all(|g| *g == Figure::Timeline) {
                no_more += 1;
                continue;
            }
            let gives: Vec<&str> = part.gives.iter().copied().map(Figure::name).collect();
            let folder = if part.folder.is_empty() { "this one" } else { &part.folder };
            lines.push(format!("- {folder} ({}): {}", part.phase, gives.join(", ")));
        }
        if no_more > 0 {
            lines.push(format!("- {no_more} from before it: nothing that these have not"));
        }
    }
    lines
}

/// Names of others that are listed for a terminal.
const MAX_OTHERS: usize = 5;
/// Process numbers of each.
const MAX_PIDS: usize = 5;

/// Lines for the terminal: others who count against the same limit.
pub(crate) fn neighbour_lines(facts: &Facts) -> Vec<String> {
    let Some(n) = facts.neighbours.as_ref().filter(|n| !n.others.is_empty()) else { return Vec::new() };
    let processes = n.others.iter().map(|o| o.processes).fold(0, u64::saturating_add);
    let mut lines = vec![format!(
        "{}{} others count against the limit of {} and hold {}",
        if n.not_seen > 0 { "at least " } else { "" },
        count(processes),
        if n.group.is_empty() { "its group" } else { &n.group },
        bytes(n.rss_bytes)
    )];
    lines.extend(n.others.iter().take(MAX_OTHERS).map(|o| {
        let mut pids: Vec<String> = o.pids.iter().take(MAX_PIDS).map(ToString::to_string).collect();
        if o.processes > pids.len() as u64 && !pids.is_empty() {
            pids.push("...".into());
        }
        let children = match o.children {
            0 => String::new(),
            c if c == o.processes => ", its descendants".into(),
            c => format!(", {} of them its descendants", count(c)),
        };
        format!("{:>8} {} x {} (pid {}){children}", bytes(o.rss_bytes), count(o.processes), o.name, pids.join(", "))
    }));
    lines
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::{Death, DeathsBefore, Event, Neighbour, Neighbours, Part, Sample};

    use super::*;

    #[test]
    fn a_death_in_words() {
        let mut facts = Facts::default();
        assert_eq!((death_sentence(&facts), death_lines(&facts)), (None, vec![]), "nobody says that it died");
        facts.death = Some(Death::default());
        assert_eq!(death_sentence(&facts), None);
        facts.target.age_ms = Some(3_300);
        assert_eq!(death_sentence(&facts).unwrap(), "the process was 3.3 s old");
        let killed = "the kernel has killed 1 other process of its group for memory while it was watched";
        facts.timeline.events = vec![Event { t_ms: 9, kind: "neighbours-killed".into(), text: killed.into() }];
        assert_eq!(death_sentence(&facts).unwrap(), format!("the process was 3.3 s old; {killed}"));
        facts.timeline.events.clear();
        facts.target.service = "svc".into();
        facts.target.limit_bytes = Some(100_000_000);
        let usage = |t_ms| if t_ms == 0 { 1_000_000 } else { 99_000_000 };
        facts.timeline.samples = (0..240)
            .map(|i| i * 500)
            .map(|t_ms| Sample { t_ms, usage_bytes: usage(t_ms), ..Sample::default() })
            .collect();
        let before = DeathsBefore { last_hour: 1, last_day: 7, since: Some("2026-11-26T01:00:00Z".into()), last: None };
        let part = |folder: &str, phase: &str, gives: &[Figure]| Part {
            folder: folder.into(),
            phase: phase.into(),
            gives: gives.to_vec(),
            ..Part::default()
        };
        let parts = vec![
            part("a-pre-kill", "pre-kill", &[]),
            part("b-pre-kill", "pre-kill", &[Figure::Resident]),
            part("", "post-kill", &[Figure::Profile, Figure::Gauges]),
        ];
        facts.death = Some(Death { parts, before: Some(before) });
        assert_eq!(
            death_lines(&facts),
            [
                "the process was 3.3 s old and had stood at its limit of 100 MB for 119 s; svc had died 7 times in the day before, 1 of these in the last hour (as far as the store remembers, first at 2026-11-26T01:00:00Z)",
                "told by 3 captures of it:",
                "- b-pre-kill (pre-kill): resident memory",
                "- this one (post-kill): profile, gauges",
                "- 1 from before it: nothing that these have not",
            ]
        );
    }

    #[test]
    fn who_else_was_in_the_group() {
        let mut facts = Facts::default();
        assert_eq!(neighbour_lines(&facts), [""; 0]);
        let other = |name: &str, processes, children, pids: &[i32], rss_bytes| Neighbour {
            name: name.into(),
            processes,
            children,
            pids: pids.to_vec(),
            rss_bytes,
        };
        facts.neighbours = Some(Neighbours {
            group: "/svc".into(),
            rss_bytes: 120_000_000,
            others: vec![
                other("python3", 12, 12, &[11, 12, 13, 14, 15, 16], 115_000_000),
                other("sh", 1, 0, &[7], 5_000_000),
            ],
            ..Neighbours::default()
        });
        assert_eq!(
            neighbour_lines(&facts),
            [
                "13 others count against the limit of /svc and hold 120 MB",
                "  115 MB 12 x python3 (pid 11, 12, 13, 14, 15, ...), its descendants",
                " 5.00 MB 1 x sh (pid 7)",
            ]
        );
    }
}
