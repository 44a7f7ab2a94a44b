//! Whether a dead process is held for the graph of its heap, and for how long: what `decide/graph_turn.rs`
//! asks for, read of the machine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_goruntime::Gap;
use lastgasp_observe::kernel::cgroup::Cgroup;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::kernel::neighbours::Neighbours;
use lastgasp_observe::raw_capture::{RawCapture, Reason};
use lastgasp_observe::target::Target;

use crate::decide::graph_turn::{Build, GraphRules, GraphTurns, let_go};

/// What the gap is of that says why there is no graph (`HEAP_GRAPH` of the facts).
const WHAT: &str = "heap graph";
/// Less is not worth a worker: nothing is read in it.
const SHORTEST: Duration = Duration::from_millis(50);
/// How long it is looked for others in the group, at most: usually a fraction of a millisecond.
const LOOK: Duration = Duration::from_millis(20);

/// Whose turn it is; shared by all who watch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<Mutex<GraphTurns>>);

/// The turn of one; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Turn(Turns);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).give_back();
    }
}

/// What is looked at while a dead process is held.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pid: i32,
    group: Option<Cgroup>,
    machine: Machine,
}

impl Surroundings {
    pub(crate) fn of(target: &Target, group: Option<Cgroup>) -> Self {
        Self { pid: target.process.pid(), group, machine: Machine::detect() }
    }

    /// Why it is to be let go, if so.
    pub(crate) fn let_go(&mut self) -> Option<String> {
        self.machine.refresh(Duration::from_millis(50));
        let began = Instant::now();
        let others = self.group.as_ref().and_then(|g| Neighbours::look(g, self.pid, LOOK));
        // A name is as its process wants it.
        let first = others.as_ref().and_then(|n| n.others.first()).map(|o| o.name.escape_debug().to_string());
        // Who was not looked at for want of time may be anybody.
        let unseen = (self.group.is_some() && began.elapsed() >= LOOK).then(|| "somebody".to_owned());
        let_go(first.or(unseen).as_deref(), self.machine.is_low_on_memory())
    }
}

/// Takes the turn for a graph of what was just taken after its death; `None`, with a gap where that is news.
pub(crate) fn turn_for(
    raw: &mut RawCapture,
    rules: Option<GraphRules>,
    turns: &Turns,
    surroundings: &mut Surroundings,
    until: Instant,
) -> Option<Turn> {
    let rules = rules.filter(|_| raw.reason == Reason::OomKill)?;
    let taken = (|| {
        let left = until.saturating_duration_since(Instant::now());
        if left < SHORTEST {
            return Err(format!("{} ms were left of the time that its memory is held (pin.hold)", left.as_millis()));
        }
        if let Some(why) = surroundings.let_go() {
            return Err(why);
        }
        let build = Build { service: raw.identity.service.clone(), build_id: raw.binary.build_id.clone() };
        turns.0.lock().unwrap_or_else(PoisonError::into_inner).take(build, rules, Instant::now())
    })();
    match taken {
        Ok(()) => Some(Turn(turns.clone())),
        Err(why) => {
            raw.evidence.gaps.push(Gap::new(WHAT, format!("not made: {why}")));
            None
        }
    }
}
