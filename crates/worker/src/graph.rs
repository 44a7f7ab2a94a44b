//! The heap graph as a worker's task: of a process that stands still, or of a dead one that is held.
//!
//! It is handed the process's memory, the evidence of the capture that the graph belongs to, and the executable's
//! file; it gives facts, in parts.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_decode::{GraphStage, WholeMemory, graph_alone};
use lastgasp_diagnosis::facts::GraphFacts;
use lastgasp_inferior::{CoreFile, ElfImage, HandedMemory, LiveProcess, LoadedImage};
use lastgasp_observe::raw_capture::{Binary, RawCapture};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::confine::Reach;
use crate::limits::Limits;
use crate::message::{Cost, Said};
use crate::process::{Heard, Worker, own_binary};
use crate::serve::{Line, serve};

/// Whose heap it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// A process that stands still: it is read by its number.
    Live(i32),
    /// A process that runs on, which is read by its number: nothing of it is of one moment.
    Running(i32),
    /// A dead process that is held: it has no number any more.
    Dead,
}

/// What a worker is told beside the descriptors, which are in this order: memory, evidence, executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Task {
    whose: Whose,
    /// What is added to the executable's addresses.
    bias: u64,
}

/// Becomes a worker: what the hidden subcommand does.
///
/// # Errors
/// There was no order on standard input.
pub fn become_worker() -> Result<(), String> {
    let reach = |task: &Task| match task.whose {
        Whose::Live(pid) | Whose::Running(pid) => Reach::Process(pid),
        Whose::Dead => Reach::Descriptors,
    };
    serve(reach, |task, handed, line| match made(&task, handed, line) {
        Ok(answer) => Said::Whole { answer, cost: Cost::so_far() },
        Err(why) => Said::Refused { why },
    })
}

fn made(task: &Task, handed: Vec<File>, line: &Line) -> Result<GraphFacts, String> {
    let [memory, evidence, executable] =
        <[File; 3]>::try_from(handed).map_err(|all| format!("{} descriptors were handed to it", all.len()))?;
    let image = ElfImage::open(executable, "its executable").map_err(|e| e.to_string())?;
    let loaded = Arc::new(LoadedImage { image, bias: task.bias });
    let memory = HandedMemory::new(memory);
    let (memory, source) = match task.whose {
        Whose::Live(pid) | Whose::Running(pid) => (memory.by_number(pid), "live"),
        Whose::Dead => (memory, "dead"),
    };
    // All that can be done before the target stands still is done.
    if !line.wait_for_the_word() {
        return Err("nobody has told it to begin".into());
    }
    let core = CoreFile::open(evidence, "its evidence").map_err(|e| e.to_string())?;
    let raw = RawCapture::load(core).map_err(|e| e.to_string())?.raw;
    let raw = RawCapture { binary: Binary::of(loaded), ..raw };
    let whole = WholeMemory { memory: &memory, source };
    let there = || memory.is_there(raw.runtime.module.variables.start);
    let mut was_there = true;
    let facts = graph_alone(&raw, whole, &mut |stage| match stage {
        GraphStage::Read => {
            was_there = there();
            line.say(&Said::<GraphFacts>::HasRead);
        }
        GraphStage::Part(facts) => {
            if was_there {
                line.say(&Said::Part { answer: facts.clone() });
            }
        }
    })?;
    // What was read by a number whose process was gone may be another's.
    if was_there { Ok(facts) } else { Err("the process was gone before it was read".into()) }
}

/// A worker that is about to make a graph.
#[derive(Debug)]
pub struct GraphWorker {
    worker: Worker<GraphFacts>,
    evidence: File,
    memory: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphAnswer {
    /// The graph, as far as it was known when it ended.
    pub graph: Option<GraphFacts>,
    /// Why it is not whole, or why there is none.
    pub gap: Option<String>,
    /// What it has cost, where it could say so.
    pub cost: Option<Cost>,
}

/// How far it is, for who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All that must be of one moment is read.
    HasRead,
    /// Nothing new.
    Waiting,
}

impl GraphWorker {
    /// Starts one for that process, within limits. It is warm when this returns or soon after, and waits for
    /// [`GraphWorker::begin`].
    ///
    /// # Errors
    /// The system's error.
    pub fn start(process: &LiveProcess, whose: Whose, limits: Limits) -> io::Result<Self> {
        let evidence = File::from(memfd_create("evidence", MFdFlags::MFD_CLOEXEC)?);
        // What it is handed cannot be written, and shares no place in the file with us.
        let handed = File::open(Path::new("/proc/self/fd").join(evidence.as_raw_fd().to_string()))?;
        let (memory, executable) = (process.mem_file()?, process.image().reopened()?);
        let task = Task { whose, bias: process.bias() };
        let handed = [memory.as_fd(), handed.as_fd(), executable.as_fd()];
        let worker = Worker::start(own_binary(), &task, &handed, limits)?;
        Ok(Self { worker, evidence, memory: limits.memory })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.worker.pid()
    }

    /// Gives it the evidence, and the word to begin; its time begins now.
    ///
    /// # Errors
    /// The system's error, or it has ended.
    pub fn begin(&mut self, raw: &RawCapture) -> io::Result<()> {
        raw.save_evidence(&self.evidence)?;
        self.worker.begin()
    }

    /// Waits for its answer. `step` hears how far it is, at least every so often, and says whether to go on: if not,
    /// it is ended, for the reason that it gives.
    pub fn answer(mut self, every: Duration, step: &mut dyn FnMut(Step) -> Result<(), String>) -> GraphAnswer {
        let began = Instant::now();
        let mut known = None;
        loop {
            let told = match self.worker.hear(Instant::now() + every) {
                Heard::Nothing => step(Step::Waiting),
                Heard::Said(Said::HasRead) => step(Step::HasRead),
                Heard::Said(Said::Ready | Said::Doing { .. }) => Ok(()),
                Heard::Said(Said::Part { answer }) => {
                    let checked = checked(answer);
                    if let Ok(answer) = &checked {
                        known = Some(answer.clone());
                    }
                    checked.map(drop)
                }
                Heard::Said(Said::Whole { answer, cost }) => match checked(answer) {
                    Ok(graph) => return GraphAnswer { graph: Some(graph), gap: None, cost: Some(cost) },
                    Err(why) => Err(why),
                },
                Heard::Said(Said::Refused { why }) => {
                    return GraphAnswer { graph: known, gap: Some(why), cost: None };
                }
                Heard::Ended(end) => Err(format!("its worker ended by {end}")),
            };
            if let Err(why) = told {
                tracing::debug!(ms = began.elapsed().as_millis() as u64, memory = self.memory, "no whole graph: {why}");
                if let Some(graph) = &mut known {
                    graph.gaps.push(format!("{why}: what is shown was known by then"));
                }
                return GraphAnswer { graph: known, gap: Some(why), cost: None };
            }
        }
    }
}

/// The answer, if it can be: foreign bytes may have led whoever gives it astray.
fn checked(graph: GraphFacts) -> Result<GraphFacts, String> {
    /// Addresses of a process.
    const MOST: u64 = 1 << 48;
    let all = graph.live_bytes.saturating_add(graph.garbage_bytes);
    let parts = [
        (graph.typed_bytes, graph.live_bytes),
        (graph.shared_bytes, graph.live_bytes),
        (graph.shared_objects, graph.objects),
        (graph.types.iter().map(|t| t.bytes).fold(0, u64::saturating_add), graph.live_bytes),
        (graph.types.iter().map(|t| t.objects).fold(0, u64::saturating_add), graph.objects),
        (graph.roots.iter().map(|r| r.retained_bytes).fold(0, u64::saturating_add), graph.live_bytes),
        (all, MOST),
    ];
    let is_sound = parts.iter().all(|(part, whole)| part <= whole)
        && ["live", "dead"].contains(&graph.source.as_str())
        && graph.types.iter().all(|t| t.retained_bytes <= graph.live_bytes);
    if is_sound { Ok(graph) } else { Err("its worker gave an answer that cannot be".into()) }
}
