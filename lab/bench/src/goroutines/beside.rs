//! One program, looked at from outside and by its own runtime.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use lastgasp_lab::leaks::{OwnWord, Parked, Seen};

/// How often one of which goroutines sleep is looked at again, and how long after.
const LOOKS: usize = 4;
const SLEEP: Duration = Duration::from_secs(1);

/// What both say of its goroutines.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    /// Goroutines at channels and locks, by Go's own dump.
    pub(super) blocked: usize,
    /// Those that Go calls leaked.
    pub(super) go: usize,
    /// Those of which we prove it.
    pub(super) ours: usize,
    pub(super) both: usize,
    pub(super) go_only: usize,
    pub(super) ours_only: usize,
    /// Of Go's alone those that waited for the same when our capture was taken.
    pub(super) missed: usize,
    pub(super) notes: BTreeSet<String>,
    pub(super) stopped: Duration,
    pub(super) verdict: Duration,
    pub(super) graph: Duration,
    pub(super) command: Duration,
    pub(super) own: Duration,
}

/// How a goroutine waits that Go's profile looks at.
fn is_blocked(state: &str) -> bool {
    ["chan ", "select", "sync.", "semacquire"].iter().any(|kind| state.starts_with(kind))
}

/// Why it waits, without for how long.
fn reason(state: &str) -> &str {
    state.split(',').next().unwrap_or(state).trim()
}

/// `goroutine in main.main`, of whatever number.
fn without_number(by: &str) -> String {
    match by.strip_prefix("goroutine ").and_then(|rest| rest.split_once(' ')) {
        Some((_, rest)) => format!("goroutine {rest}"),
        None => by.to_owned(),
    }
}

impl Beside {
    /// Takes a capture of it; then it says what it knows itself.
    pub(super) fn of(lastgasp: &Path, mut parked: Parked, rest: Duration) -> Result<Self> {
        let rests = parked.rests(rest);
        let look = || Seen::of(lastgasp, &parked.pid().to_string(), &["--heap", "--max-stop", "10s"]);
        let mut seen = look()?;
        // Who sleeps will move yet: some of these programs sleep for seconds before they leak.
        for _ in 0..LOOKS {
            if !seen.reasons.values().any(|reason| reason == "sleep") {
                break;
            }
            std::thread::sleep(SLEEP);
            seen = look()?;
        }
        let own = parked.own_word()?;
        let mut out = Self::compared(&seen, &own);
        if !rests {
            out.notes.insert("it moved all along".into());
        }
        out.notes.extend(seen.no_proof.iter().map(|why| format!("no proof: {why}")));
        Ok(out)
    }

    fn compared(seen: &Seen, own: &OwnWord) -> Self {
        let proved: BTreeSet<u64> = seen.proved();
        let (both, go_only) = (own.leaked.intersection(&proved).count(), own.leaked.difference(&proved));
        let mut notes = BTreeSet::new();
        let mut missed = 0;
        for id in go_only.clone() {
            let now = own.states.get(id).map_or("", |s| reason(s));
            let then = seen.reasons.get(id).map_or("not blocked", String::as_str);
            if now == then {
                missed += 1;
                let (wake_up, by) = (seen.wake_up.get(id), seen.by.get(id));
                let (wake_up, by) = (wake_up.map_or("?", |w| w), by.map_or("?", |b| b));
                notes.insert(format!("Go only: {now} {wake_up} by {}", without_number(by)));
            } else {
                notes.insert(format!("moved: {then}, then {now}"));
            }
        }
        for id in proved.difference(&own.leaked) {
            let now = own.states.get(id).map_or("gone", |s| reason(s));
            notes.insert(format!("ours only: {now}"));
        }
        for (id, state) in own.states.iter().filter(|(id, s)| is_blocked(s) && !proved.contains(id)) {
            let Some(wake_up) = seen.wake_up.get(id) else { continue };
            if !own.leaked.contains(id) {
                let by = seen.by.get(id).map_or("", String::as_str);
                notes.insert(format!("neither: {} {wake_up} by {}", reason(state), without_number(by)));
            }
        }
        let go_only = go_only.count();
        Self {
            blocked: own.states.iter().filter(|(id, s)| is_blocked(s) && seen.wake_up.contains_key(id)).count(),
            go: own.leaked.len(),
            ours: proved.len(),
            both,
            go_only,
            ours_only: proved.len() - both,
            missed,
            notes,
            stopped: seen.stopped,
            verdict: seen.took,
            graph: seen.graph,
            command: seen.command,
            own: own.took.unwrap_or_default(),
        }
    }

    /// Takes in another look.
    pub(super) fn add(&mut self, other: Self) {
        self.blocked += other.blocked;
        self.go += other.go;
        self.ours += other.ours;
        self.both += other.both;
        self.go_only += other.go_only;
        self.ours_only += other.ours_only;
        self.missed += other.missed;
        self.notes.extend(other.notes);
        self.stopped = self.stopped.max(other.stopped);
        self.verdict = self.verdict.max(other.verdict);
        self.graph = self.graph.max(other.graph);
        self.command = self.command.max(other.command);
        self.own = self.own.max(other.own);
    }

    /// A line of the table, behind the program's name.
    pub(super) fn line(&self) -> String {
        let notes: Vec<&str> = self.notes.iter().map(String::as_str).take(4).collect();
        format!(
            "{:>8} {:>8} {:>8} {:>8} {:>9} {:>9}  {}",
            self.blocked,
            self.go,
            self.ours,
            self.both,
            self.go_only,
            self.ours_only,
            notes.join("; ")
        )
    }
}
