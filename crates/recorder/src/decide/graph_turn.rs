//! Whose memory is held for a heap graph after its death, and until when. Pure.
//!
//! A graph is worth a second or two of held memory, and no harm to anybody: one at a time, and not of the
//! same service again and again. What is held stays charged to its group. Whoever lives there, or is started
//! there meanwhile, finds no memory and may be killed next, so that it is held in a group that is empty
//! alone, and let go as soon as somebody comes.

use std::time::{Duration, Instant};

/// How often deaths of one service have a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphRules {
    /// Not again for so long.
    pub pause: Duration,
}

impl Default for GraphRules {
    fn default() -> Self {
        Self { pause: Duration::from_secs(600) }
    }
}

/// Who is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// Name of its executable.
    pub(crate) service: String,
    /// Which of that name.
    pub(crate) build_id: Option<String>,
}

/// Services that are remembered; beyond it the oldest is forgotten.
const MAX_REMEMBERED: usize = 256;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct GraphTurns {
    busy: bool,
    last: Vec<(Instant, Build)>,
}

impl GraphTurns {
    /// Takes the turn for one; or says why not.
    pub(crate) fn take(&mut self, build: Build, rules: GraphRules, now: Instant) -> Result<(), String> {
        if self.busy {
            return Err("the graph of another process was being made".into());
        }
        self.last.retain(|(at, _)| now.saturating_duration_since(*at) < rules.pause);
        if let Some((at, _)) = self.last.iter().find(|(_, b)| *b == build) {
            let ago = now.saturating_duration_since(*at).as_secs();
            return Err(format!("another death of the same build {ago} s ago has one (graph.pause)"));
        }
        if self.last.len() >= MAX_REMEMBERED {
            self.last.remove(0);
        }
        self.busy = true;
        self.last.push((now, build));
        Ok(())
    }

    /// Gives it back.
    pub(crate) fn give_back(&mut self) {
        self.busy = false;
    }
}

/// Why memory of the dead is not to be held any longer, of what is known of the machine and its group.
pub(crate) fn let_go(others: Option<&str>, machine_low_on_memory: bool) -> Option<String> {
    if machine_low_on_memory {
        return Some("the machine is short of memory: that of the dead was given back".into());
    }
    let others = others?;
    Some(format!("{others} is in the group that ran out of memory too: that of the dead was given back for it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(service: &str, id: &str) -> Build {
        Build { service: service.into(), build_id: Some(id.into()) }
    }

    #[test]
    fn one_at_a_time_and_not_again_for_a_while() {
        let (mut turns, rules, t) = (GraphTurns::default(), GraphRules::default(), Instant::now());
        let later = |s| t + Duration::from_secs(s);
        turns.take(build("a", "1"), rules, t).unwrap();
        assert!(turns.take(build("b", "1"), rules, t).unwrap_err().contains("another process"));
        turns.give_back();
        assert!(turns.take(build("a", "1"), rules, later(9)).unwrap_err().contains("9 s ago"));
        // Another build of it is news.
        turns.take(build("a", "2"), rules, later(9)).unwrap();
        turns.give_back();
        turns.take(build("a", "1"), rules, later(600)).unwrap();
        turns.give_back();
        for n in 0..1000 {
            turns.take(build("c", &n.to_string()), rules, later(600)).unwrap();
            turns.give_back();
        }
        assert_eq!(turns.last.len(), MAX_REMEMBERED);
    }

    #[test]
    fn nobody_who_lives_waits_for_the_dead() {
        assert_eq!(let_go(None, false), None);
        assert!(let_go(Some("sidecar"), false).unwrap().starts_with("sidecar is in the group"));
        assert!(let_go(None, true).unwrap().starts_with("the machine"));
    }
}
