//! Starts and ends of watched processes, told to whoever keeps them; and jumps of their collections.

use std::fmt;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, SystemTime};

use lastgasp_goruntime::quick_census::Anchor;
use lastgasp_observe::target::Target;
use lastgasp_observe::target::census::{CensusHistory, KnownCollection};
use nix::sys::wait::WaitStatus;

use super::target_status::{CensusJump, TargetStatus};
use crate::watch::stop_reason::ExitReport;

/// A collection jumped if it has at least so many times the elements that it had, and so many more.
const FACTOR: u64 = 4;
const LEAST: u64 = 1000;
/// Jumps that are told of at a time.
const MAX_JUMPS: usize = 16;
/// Looks at which one had few elements before it jumped: what fills from empty is a start, and no jump.
const LOOKS_BEFORE: usize = 2;

/// A start or an end.
#[derive(Clone, Debug, PartialEq)]
pub enum LifeNotice {
    /// A process has come under watch.
    Begun(Box<TargetStatus>),
    /// It has ended.
    Ended {
        /// What was known of it.
        status: Box<TargetStatus>,
        /// How.
        how: HowItEnded,
        /// How long ago: it may have been read since.
        ago: Duration,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowItEnded {
    /// Memory of its group ran out.
    OomKill,
    /// Memory of the machine ran out.
    MachineOomKill,
    /// Killed by somebody.
    Killed,
    /// By a signal that asks for it (SIGTERM, SIGINT).
    Stopped,
    /// By itself, with status 0.
    Exited,
    /// By itself, with another status, or by a fault.
    Crashed,
    /// By itself; nobody says with which status.
    Unknown,
}

impl HowItEnded {
    pub(crate) fn of(ended: &ExitReport) -> Self {
        match (ended.oom, ended.killed, ended.status) {
            (true, ..) if ended.machine => Self::MachineOomKill,
            (true, ..) => Self::OomKill,
            (_, true, _) => Self::Killed,
            (.., Some(WaitStatus::Exited(_, 0))) => Self::Exited,
            (.., Some(WaitStatus::Exited(..))) => Self::Crashed,
            (.., Some(WaitStatus::Signaled(_, signal, _))) => match signal {
                nix::sys::signal::Signal::SIGTERM | nix::sys::signal::Signal::SIGINT => Self::Stopped,
                _ => Self::Crashed,
            },
            _ => Self::Unknown,
        }
    }
}

/// Who is told.
#[derive(Clone, Default)]
pub(crate) struct Lives(Option<SyncSender<LifeNotice>>);

impl fmt::Debug for Lives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lives")
    }
}

impl Lives {
    pub(crate) fn to(sender: SyncSender<LifeNotice>) -> Self {
        Self(Some(sender))
    }

    /// Tells, if anybody listens and has room: never waits.
    pub(crate) fn tell(&self, notice: impl FnOnce() -> LifeNotice) {
        if let Some(sender) = &self.0 {
            let _ = sender.try_send(notice());
        }
    }
}

/// Collections of a target that jumped, the latest jump of each.
pub(crate) fn census_jumps(target: &Target, now_ms: u64) -> Vec<CensusJump> {
    let history = target.census.history();
    let mut found: Vec<(&KnownCollection, u64, u64, u64)> = history
        .collections
        .iter()
        .filter_map(|c| jump(history, c).map(|(t, before, elements)| (c, t, before, elements)))
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    found.sort_by_key(|(_, _, before, elements)| std::cmp::Reverse(elements.saturating_sub(*before)));
    found.truncate(MAX_JUMPS);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let told = |(c, t, before, elements): (&KnownCollection, u64, u64, u64)| CensusJump {
        owner: owner(target, c),
        kind: if c.way.kind == lastgasp_goruntime::collections::HeaderKind::Map { "map" } else { "slice" },
        before,
        elements,
        seen_unix: now.saturating_sub(now_ms.saturating_sub(t) / 1000),
    };
    found.into_iter().map(told).collect()
}

/// When a collection jumped last, and from what to what.
fn jump(history: &CensusHistory, collection: &KnownCollection) -> Option<(u64, u64, u64)> {
    // Most collections never change, and tell that by one number.
    if collection.changes().len() < 2 {
        return None;
    }
    let looks: Vec<(u64, u64)> = history.looks(collection).collect();
    let at = (LOOKS_BEFORE..looks.len()).rev().find(|i| {
        let (Some((_, now)), Some(before)) = (looks.get(*i), looks.get(i - LOOKS_BEFORE..*i)) else { return false };
        // As many at both looks before it, about: what grows by and by jumps nowhere.
        before.iter().all(|(_, n)| now / FACTOR >= (*n).max(1) && now.saturating_sub(*n) >= LEAST)
    })?;
    let (t, elements) = looks.get(at).copied()?;
    let (_, before) = looks.get(at - 1).copied()?;
    // It must have stayed, or grown: what comes and goes with requests is no state.
    let stayed = looks.get(at..)?.iter().all(|(_, n)| *n >= elements / 2);
    stayed.then_some((t, before, elements))
}

/// Where it stands, in words that are the same for all processes of a build. Its name stands in the file of
/// the executable, which is its owner's to write: that is read by processes that can be lost, for captures,
/// and not here.
fn owner(target: &Target, collection: &KnownCollection) -> String {
    match collection.way.anchor {
        Anchor::Variable(at) => {
            let offset = at.0.saturating_sub(target.runtime.module.variables.start.0);
            let steps: Vec<String> =
                collection.way.hops.iter().map(|h| format!("{:+}", h.offset.cast_signed())).collect();
            let root = format!("variables+{offset:#x}");
            if steps.is_empty() { root } else { format!("{root} [{}]", steps.join(" ")) }
        }
        Anchor::Stack(_) => "of a goroutine".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use lastgasp_goruntime::collections::HeaderKind;
    use lastgasp_goruntime::quick_census::Way;
    use lastgasp_inferior::Addr;

    use super::*;

    fn jumped(counts: &[u64]) -> Option<(u64, u64, u64)> {
        let way = Way { anchor: Anchor::Variable(Addr(1)), hops: Vec::new(), kind: HeaderKind::Slice };
        let changes: Vec<(u64, u64)> = (0..).map(|i| i * 5000).zip(counts.iter().copied()).collect();
        let times = changes.iter().map(|(t, _)| *t).collect();
        let collection = KnownCollection::new(way, changes, None);
        let history = CensusHistory { times, collections: vec![collection.clone()], t_ms: 0 };
        jump(&history, &collection)
    }

    #[test]
    fn a_jump_is_a_jump_and_growth_is_none() {
        assert_eq!(jumped(&[312, 312, 312, 230_184]), Some((15_000, 312, 230_184)));
        assert_eq!(jumped(&[312, 312, 230_184, 230_184, 230_190]), Some((10_000, 312, 230_184)));
        assert_eq!(jumped(&[312, 230_184]), None, "one look says nothing of what it was");
        assert_eq!(jumped(&[0, 1000, 2000, 4000, 8000, 16_000]), None, "by and by");
        assert_eq!(jumped(&[312, 312, 312, 900]), None, "few");
        assert_eq!(jumped(&[312, 312, 230_184, 312]), None, "it did not stay");
        assert_eq!(jumped(&[7]), None);
        assert_eq!(jumped(&[]), None);
    }

    #[test]
    fn ends_by_their_status() {
        let pid = nix::unistd::Pid::from_raw(1);
        let of = |oom, killed, status| HowItEnded::of(&ExitReport { oom, killed, status, ..ExitReport::default() });
        let signal = |s| Some(WaitStatus::Signaled(pid, s, false));
        assert_eq!(of(true, true, None), HowItEnded::OomKill);
        assert_eq!(of(false, true, signal(nix::sys::signal::Signal::SIGKILL)), HowItEnded::Killed);
        assert_eq!(of(false, false, signal(nix::sys::signal::Signal::SIGTERM)), HowItEnded::Stopped);
        assert_eq!(of(false, false, signal(nix::sys::signal::Signal::SIGSEGV)), HowItEnded::Crashed);
        assert_eq!(of(false, false, Some(WaitStatus::Exited(pid, 2))), HowItEnded::Crashed);
        assert_eq!(of(false, false, Some(WaitStatus::Exited(pid, 0))), HowItEnded::Exited);
        assert_eq!(of(false, false, None), HowItEnded::Unknown);
        let machine = ExitReport { oom: true, machine: true, ..ExitReport::default() };
        assert_eq!(HowItEnded::of(&machine), HowItEnded::MachineOomKill);
    }

    #[test]
    fn who_has_no_room_is_not_waited_for() {
        let (sender, notices) = sync_channel(1);
        let lives = Lives::to(sender);
        for _ in 0..3 {
            lives.tell(|| LifeNotice::Begun(Box::default()));
        }
        assert_eq!(notices.try_iter().count(), 1);
        Lives::default().tell(|| unreachable!("nobody listens"));
    }
}
