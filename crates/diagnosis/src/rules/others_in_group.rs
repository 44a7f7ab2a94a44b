//! Growth that is not the process's: others count against its limit. The page: `others-in-group.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, Neighbour, Reason};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::rival::Rival;
use crate::sentence::{level, service};
use crate::subject::Subject;
use crate::thresholds::others_in_group::{MAX_NAMED, MAX_PIDS, MIN_BYTES, MIN_SHARE};
use crate::units::{bytes, count, percent};

/// The rule.
pub(super) struct OthersInGroup;

impl Rule for OthersInGroup {
    const INFO: RuleInfo = RuleInfo {
        code: "others-in-group",
        title: "not this process: others fill the group",
        doc: include_str!("others-in-group.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        out.found(find(case));
    }
}

/// What others have.
struct Others {
    /// Share of the growth; of what is used, where nothing grew.
    share: f64,
    /// Bytes of it.
    bytes: u64,
    /// Whether it is growth.
    grew: bool,
}

/// By the timeline, which has the group's use and the process's own at each moment; where nothing grew, by
/// what is used at the end.
fn others(case: &Case<'_>) -> Option<Others> {
    if let Some(parts) = case.parts {
        return Some(Others { share: parts.share(parts.others), bytes: parts.others, grew: true });
    }
    let facts = case.facts;
    let near = facts.capture.reason == Reason::OomKill || facts.capture.reason == Reason::Forecast;
    let usage = Some(usage(facts)).filter(|n| *n > 0)?;
    let own = facts
        .rss
        .map(|r| r.rss)
        .or_else(|| facts.timeline.samples.iter().rev().map(|s| s.rss_bytes).find(|n| *n > 0))?;
    let bytes = usage.saturating_sub(own);
    near.then_some(Others { share: bytes as f64 / usage as f64, bytes, grew: false })
}

/// What counted against the limit when it was looked at last.
fn usage(facts: &Facts) -> u64 {
    facts.timeline.samples.iter().rev().map(|s| s.usage_bytes).find(|n| *n > 0).unwrap_or(0)
}

fn find(case: &Case<'_>) -> Option<Finding> {
    let facts = case.facts;
    let others = others(case).filter(|o| o.share >= MIN_SHARE && o.bytes >= MIN_BYTES)?;
    let neighbours = facts.neighbours.as_ref().filter(|n| n.rss_bytes >= others.bytes / 2);
    let named: Vec<String> =
        neighbours.map(|n| n.others.iter().take(MAX_NAMED).map(|o| name(o, n.not_seen)).collect()).unwrap_or_default();
    let children = neighbours.is_some_and(|n| n.others.first().is_some_and(|o| o.children * 2 > o.processes));
    let shmem = facts.charge.map_or(0, |c| c.shmem);
    let who = if named.is_empty() && shmem >= others.bytes / 2 {
        format!(
            "{} are shared memory: files in a tmpfs such as /dev/shm, nameless ones (memfd) that a process has open, or mapped by several",
            bytes(shmem)
        )
    } else if named.is_empty() {
        "who they are was not seen (other processes, or kernel memory: sockets, page tables, tmpfs)".to_owned()
    } else {
        named.join(", ")
    };
    let own = facts.rss.map_or_else(String::new, |r| format!("; {} itself holds {}", service(facts), bytes(r.rss)));
    let end = if facts.capture.reason == Reason::OomKill { ", and the kernel killed it for that" } else { "" };
    let what = match (others.grew, case.window) {
        (true, Some(w)) => format!("{} of the {} by which its group grew", percent(others.share), bytes(w.growth())),
        _ => format!("{} of what its group uses ({})", percent(others.share), bytes(others.bytes)),
    };
    // tmpfs: files that live in memory, the process's own or another's.
    let in_files = facts.charge.is_some_and(|c| c.shmem >= others.bytes / 2) && named.is_empty();
    // What came at the end may be others', and most of the rest this process's.
    let straw = case.last_straw.is_some_and(|s| s.is_mostly_own(facts));
    let title = if straw {
        "others in its group were the last straw: this process holds most of it"
    } else if in_files {
        "files in memory (tmpfs) fill the group"
    } else if children {
        "not this process: its children fill the group"
    } else {
        "not this process: others fill the group"
    };
    Some(Finding {
        code: OthersInGroup::INFO.code,
        subject: Subject::Process,
        level: level(facts, usage(facts)),
        title: title.into(),
        sentence: match in_files {
            // Whose they are the kernel does not say, nor who has them open (seen blind: broken uploads that
            // a service kept as memfd, told as "not its own").
            true => format!("{what} is in no process's own pages: {who}{own}{end}."),
            false => format!("{what} is not {}'s own: {who}{own}{end}.", service(facts)),
        },
        factors: vec![ConfidenceFactor {
            name: "share that is not the process's own",
            value: others.share.min(1.0).sqrt(),
        }],
        rivals: vec![Rival::tested(
            "kernel memory of the process itself (sockets, page tables)",
            if in_files {
                Some("the group's own count has it as shared memory".to_owned())
            } else {
                (!named.is_empty()).then(|| "other processes of the group hold it".to_owned())
            },
            "the group's memory.stat, and its processes (cgroup.procs)",
        )],
        evidence: neighbours
            .map(|n| Evidence {
                text: format!(
                    "other processes in {} hold {} together (pages that they share counted for each){}",
                    n.group,
                    bytes(n.rss_bytes),
                    match n.not_seen {
                        0 => String::new(),
                        more => format!("; there was no time to look at {} more", count(more)),
                    }
                ),
                source: Source::Exact,
            })
            .into_iter()
            .collect(),
        cure: if straw {
            format!(
                "See what {} keeps, and whether it has to; give the others a group of their own, or the group more.",
                service(facts)
            )
        } else if in_files {
            "See who writes files into a tmpfs that counts against this group (/dev/shm, /tmp, an emptyDir of medium Memory): bound it, or put them on a disk.".into()
        } else if named.is_empty() {
            "See who it is: the group's cgroup.procs, and sock, slab, shmem and pagetables in its memory.stat.".into()
        } else if children {
            "Bound how many children it starts at a time, and what each may use; or give them a group of their own."
                .into()
        } else {
            "Give the others a group of their own, or a limit; this process needs no change.".into()
        },
        site: None,
        do_now: if straw { make_room(facts) } else { do_now(in_files, named.is_empty(), children) },
    })
}

/// Of the last straw: room first, and then a look at who has most.
fn make_room(facts: &Facts) -> Vec<(String, String)> {
    let own = facts.rss.map_or(0, |r| r.rss);
    vec![
        ("Move the others out of its group, or give the group more".to_owned(), String::new()),
        (
            format!("See what {} keeps: by holder, collection and site below", service(facts)),
            format!("it holds {} of what counts", bytes(own)),
        ),
    ]
}

fn do_now(in_files: bool, is_unknown: bool, children: bool) -> Vec<(String, String)> {
    let what = match (in_files, is_unknown, children) {
        (true, ..) => {
            "Delete files that are not needed from the tmpfs of this group: that frees their memory at once; nameless ones go when whoever has them open closes them, or ends"
        }
        (_, true, _) => "List the group's processes (cgroup.procs) and its memory.stat while it is large",
        (.., true) => "Let it start fewer children at a time, and end those that are not needed",
        _ => "Restart or move what fills the group; to restart this process frees next to nothing",
    };
    vec![(what.to_owned(), String::new())]
}

/// `12 python3 hold 115 MB (children of this process; pids 41, 42, ...)`.
fn name(n: &Neighbour, not_seen: u64) -> String {
    let least = if not_seen > 0 { "at least " } else { "" };
    let children = if n.children * 2 > n.processes { "children of this process; " } else { "" };
    let pids: Vec<String> = n.pids.iter().take(MAX_PIDS).map(i32::to_string).collect();
    let more = if n.processes > pids.len() as u64 { ", ..." } else { "" };
    let word = if pids.len() == 1 { "pid" } else { "pids" };
    format!(
        "{least}{} {} {} {} ({children}{word} {}{more})",
        count(n.processes),
        n.name,
        if n.processes == 1 { "holds" } else { "hold" },
        bytes(n.rss_bytes),
        pids.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Neighbours, Rss, Sample};

    #[test]
    fn children_that_fill_the_group_are_named() {
        let mut facts =
            Facts { rss: Some(Rss { rss: 84_000_000, anon: 80_000_000, ..Rss::default() }), ..Facts::default() };
        facts.capture.reason = Reason::OomKill;
        facts.target.service = "runner".into();
        let sample = |i: u64| Sample {
            t_ms: i * 100,
            usage_bytes: 90_000_000 + i * 1_150_000,
            rss_bytes: 84_000_000,
            ..Sample::default()
        };
        facts.timeline.samples = (0..=100).map(sample).collect();
        let python = Neighbour {
            name: "python3".into(),
            processes: 12,
            children: 12,
            pids: vec![41, 42, 43, 44, 45, 46, 47, 48],
            rss_bytes: 115_000_000,
        };
        facts.neighbours = Some(Neighbours {
            group: "/svc".into(),
            others: vec![python],
            rss_bytes: 115_000_000,
            ..Neighbours::default()
        });
        let d = diagnose(&facts);
        let v = d.verdict().unwrap();
        assert_eq!((v.code, v.title.as_str()), ("others-in-group", "not this process: its children fill the group"));
        assert!(
            v.sentence.contains("12 python3 hold 115 MB (children of this process; pids 41, 42, 43, ...)"),
            "{}",
            v.sentence
        );
        assert!(v.confidence() > 0.9);
        // Not seen: the sentence stands, and is less sure.
        facts.neighbours = None;
        let d = diagnose(&facts);
        assert!(d.verdict().is_some_and(|v| v.code == "others-in-group" && v.confidence() <= crate::UNTESTED));
        // Its own growth.
        facts.timeline.samples.iter_mut().for_each(|s| s.rss_bytes = s.usage_bytes);
        assert!(diagnose(&facts).findings.iter().all(|f| f.code != "others-in-group"));
    }
}
