//! The heap graph as a worker's task: of a process that stands still, or of a dead one that is held.
//!
//! It is handed the process's memory, the evidence of the capture that the graph belongs to, and the
//! executable's file; it gives facts, in parts.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_decode::{
    GraphStage, ReadBefore, WholeMemory, code_types, copy_of_the_dead, graph_alone, pack_standing_still,
};
use lastgasp_diagnosis::facts::{Facts, Gap, GraphFacts, HEAP_GRAPH};
use lastgasp_inferior::{
    CopiedMemory, CoreFile, ElfImage, HandedMemory, Layered, LiveProcess, LoadedImage, OwnPages, RememberedMemory,
    Snapshot,
};
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::raw_capture::{Binary, DeadMemory, RawCapture};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::confine::Reach;
use crate::limits::Limits;
use crate::message::{Cost, Order, Said};
use crate::process::{Heard, Worker, own_binary};
use crate::serve::{Line, obey};
use crate::task::{AnyTask, GraphTask, Room, Whose};

/// Part of a worker's memory that it may remember of a dead process's.
const REMEMBERED: u64 = 8;

/// Pieces of a copy that room is made for: most are a megabyte.
const MOST_PIECES: usize = 4096;

/// Makes a graph, in a worker.
pub(crate) fn obey_graph(order: Order<GraphTask>, handed: Vec<File>) -> Result<(), String> {
    let reach = match order.task.whose {
        Whose::Live(pid) | Whose::Running(pid) => Reach::Process(pid),
        Whose::Dead => Reach::Descriptors,
    };
    obey(order, handed, reach, |task, handed, line| match made(&task, handed, line) {
        Ok(answer) => Said::Whole { answer, cost: Cost::so_far() },
        Err(why) => Said::Refused { why },
    })
}

fn made(task: &GraphTask, handed: Vec<File>, line: &Line) -> Result<GraphFacts, String> {
    let mut handed = handed.into_iter();
    let mut next = || handed.next().ok_or_else(|| "too few descriptors were handed to it".to_owned());
    let (memory, evidence, executable) = (next()?, next()?, next()?);
    let pages = if task.room != Room::None { Some(OwnPages::new(next()?, next()?)) } else { None };
    let image =
        ElfImage::told(Arc::new(executable), "its executable", task.image.clone()).map_err(|e| e.to_string())?;
    let loaded = Arc::new(LoadedImage { image, bias: task.bias });
    // By its descriptor, which is never another's.
    let unnumbered = || memory.try_clone().map(HandedMemory::new).map_err(|e| e.to_string());
    let (later, its_contents) = (unnumbered()?, unnumbered()?);
    let unnumbered = unnumbered()?;
    let memory = HandedMemory::new(memory);
    let (memory, source, remembered) = match task.whose {
        Whose::Live(pid) | Whose::Running(pid) => (memory.by_number(pid), "live", 0),
        Whose::Dead => (memory, "dead", task.remembered),
    };
    let memory = RememberedMemory::new(memory, remembered);
    // All that can be done before the target stands still is done. Of the dead nothing waits.
    let code = if source == "live" { code_types(&loaded, memory.inner()) } else { None };
    let room = match task.room {
        Room::Copied(bytes) => Some(Snapshot::with_budget(bytes as usize, MOST_PIECES)),
        Room::None | Room::Packed(_) => None,
    };
    line.say(&Said::<GraphFacts>::Warm);
    let word = || if line.wait_for_the_word() { Ok(()) } else { Err("nobody has told it to begin".to_owned()) };
    word()?;
    let copied = pages.as_ref().zip(room).map(|(pages, room)| {
        let copied = CopiedMemory::take(memory.inner(), pages, room, unnumbered);
        line.say(&if copied.is_some() { Said::<GraphFacts>::HasRead } else { Said::NotCopied });
        if copied.is_some() {
            line.no_hurry();
        }
        copied.map(CopiedMemory::sealed)
    });
    if copied.is_some() {
        word()?;
    }
    let copied = copied.flatten();
    let core = CoreFile::open(evidence, "its evidence").map_err(|e| e.to_string())?;
    let raw = RawCapture::load(core).map_err(|e| e.to_string())?.raw;
    let raw = RawCapture { binary: Binary::of(loaded), ..raw };
    let contents = memory.inner();
    let (mut read_before, mut packed) = (ReadBefore { code, objects: None }, None);
    if let (Room::Packed(budget), Some(pages)) = (task.room, &pages)
        && let Some(stood) = pack_standing_still(&raw, (contents, later), pages, budget)
    {
        line.say(&Said::<GraphFacts>::HasRead);
        line.no_hurry();
        (packed, read_before.objects) = (Some(stood.memory), Some(stood.objects));
    }
    let heap = if source == "dead" { copy_of_the_dead(&raw, (&memory, contents), task.heap) } else { None };
    let of_the_dead = heap.as_ref().map(|top| {
        let (bottom, its_contents) = (&memory, contents);
        (Layered { top, bottom }, Layered { top, bottom: its_contents })
    });
    let packed_contents = packed.as_ref().map(|packed| Layered { top: packed, bottom: its_contents });
    let whole = match (&copied, &packed, &packed_contents, &of_the_dead) {
        (Some(copied), ..) => WholeMemory { is_copied: true, ..WholeMemory::of(copied, source) },
        (None, Some(packed), Some(contents), _) => {
            WholeMemory { is_copied: true, contents, ..WholeMemory::of(packed, source) }
        }
        (.., Some((memory, contents))) => WholeMemory { contents, ..WholeMemory::of(memory, source) },
        _ if remembered > 0 => WholeMemory { contents, ..WholeMemory::of(&memory, source) },
        _ => WholeMemory::of(contents, source),
    };
    let is_copied = whole.is_copied;
    let there = || contents.is_there(raw.runtime.module.variables.start);
    let mut was_there = true;
    let mut facts = graph_alone(&raw, whole, read_before, &mut |stage| match stage {
        GraphStage::Read => {
            // Reads of the dead fail when their memory is gone, and what is missing is said: it is never
            // another's.
            was_there = task.whose == Whose::Dead || is_copied || there();
            line.no_hurry();
            if !is_copied {
                line.say(&Said::<GraphFacts>::HasRead);
            }
        }
        GraphStage::Part(facts) => {
            if was_there {
                line.say(&Said::Part { answer: facts.clone() });
            }
        }
    })?;
    let has_contents = !(facts.census.is_empty() && facts.copies.is_empty() && facts.waste.is_empty());
    if task.whose != Whose::Dead && copied.is_none() && has_contents {
        let why = "collections: what is in them was read a moment later than the rest, while the process ran on";
        facts.gaps.push(why.into());
    }
    // What was read by a number whose process was gone may be another's.
    if was_there { Ok(facts) } else { Err("the process was gone before it was read".into()) }
}

/// A worker that is about to make a graph.
#[derive(Debug)]
pub struct GraphWorker {
    worker: Worker<GraphFacts>,
    evidence: File,
    /// Whether it has room for a copy of the process, and none yet.
    copies: bool,
    answer: GraphAnswer,
    is_over: bool,
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

impl GraphAnswer {
    /// None, and why.
    #[must_use]
    pub fn none(why: impl std::fmt::Display) -> Self {
        Self { gap: Some(why.to_string()), ..Self::default() }
    }

    /// What was read is not all of one moment: what was moved from one object to another meanwhile is seen in
    /// neither, so that what nothing seems to hold is not called garbage, and of what nothing seems to wake
    /// nothing is proved.
    pub fn not_of_one_moment(&mut self, why: &str) {
        let Some(graph) = &mut self.graph else { return };
        graph.of_one_moment = false;
        (graph.garbage_objects, graph.garbage_bytes) = (0, 0);
        graph.gaps.push(format!("garbage: not told apart, since the heap was not read of one moment: {why}"));
        if let Some(blocked) = &mut graph.blocked {
            blocked.no_proof.push(format!("the heap was not read of one moment: {why}"));
        }
    }

    /// Puts it to the facts of its capture.
    pub fn join(&self, facts: &mut Facts) {
        match (&self.graph, &self.gap) {
            (Some(graph), _) => {
                let cost = self.cost.unwrap_or_default();
                let (processor_us, peak_bytes) = (cost.processor_us, cost.peak_bytes);
                facts.graph = Some(GraphFacts { processor_us, peak_bytes, ..graph.clone() });
                facts.join_census();
            }
            (None, Some(why)) => facts.capture.gaps.push(Gap::new(HEAP_GRAPH, why.clone())),
            (None, None) => {}
        }
    }
}

impl GraphWorker {
    /// Starts one for that process, within limits. It is warm when this returns or soon after, and waits for
    /// [`GraphWorker::begin`].
    ///
    /// # Errors
    /// The system's error.
    pub fn start(process: &LiveProcess, whose: Whose, limits: Limits) -> io::Result<Self> {
        Self::start_with_room(process, whose, Room::None, limits)
    }

    /// As [`GraphWorker::start`], of one that has room: a process that stands still may run on while it is
    /// looked at. As it is it is copied first ([`GraphWorker::begin_to_copy`]); to be packed its evidence is
    /// needed ([`GraphWorker::begin`]).
    ///
    /// # Errors
    /// The system's error.
    pub fn start_with_room(process: &LiveProcess, whose: Whose, room: Room, limits: Limits) -> io::Result<Self> {
        let evidence = File::from(memfd_create("evidence", MFdFlags::MFD_CLOEXEC)?);
        // What it is handed cannot be written, and shares no place in the file with us.
        let handed = File::open(Path::new("/proc/self/fd").join(evidence.as_raw_fd().to_string()))?;
        let (memory, executable) = (process.mem_file()?, process.image().file());
        let image = process.image().facts().to_be_told();
        let task = GraphTask {
            whose,
            bias: process.bias(),
            remembered: limits.memory / REMEMBERED,
            heap: room_for_a_heap(limits),
            room,
            image,
        };
        let of_pages =
            if room != Room::None { Some([process.maps_file()?, process.page_map()?.into_file()]) } else { None };
        let mut handed = vec![memory.as_fd(), handed.as_fd(), executable.as_fd()];
        handed.extend(of_pages.iter().flatten().map(File::as_fd));
        let worker = Worker::start(own_binary(), &AnyTask::Graph(task), &handed, limits)?;
        Ok(Self {
            worker,
            evidence,
            copies: matches!(room, Room::Copied(_)),
            answer: GraphAnswer::default(),
            is_over: false,
        })
    }

    /// Starts one that reads a dead process at once, the way it is held for `raw`.
    ///
    /// # Errors
    /// The system's error.
    pub fn of_the_dead(raw: &RawCapture, dead: &DeadMemory, limits: Limits) -> io::Result<Self> {
        let mut worker = Self::start(&dead.process, Whose::Dead, limits)?;
        worker.begin(raw)?;
        Ok(worker)
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.worker.pid()
    }

    /// Whether nothing will come of it any more; its answer says why.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Waits until it has done all that can be done before it is told to begin: whoever stops a process then
    /// stops it for less.
    pub fn is_warm(&mut self, until: Instant) -> bool {
        loop {
            match self.next(until) {
                Next::Warm => return true,
                Next::Going | Next::HasRead | Next::NotCopied => {}
                Next::Nothing | Next::Over => return false,
            }
        }
    }

    /// Has it copy the process, which stands still; whether it does. If so [`GraphWorker::has_copied`] comes
    /// next, and then [`GraphWorker::begin`].
    ///
    /// # Errors
    /// It has ended.
    pub fn begin_to_copy(&mut self) -> io::Result<bool> {
        let copies = std::mem::take(&mut self.copies);
        if copies {
            self.worker.begin()?;
        }
        Ok(copies)
    }

    /// Waits for the copy: whether there is one, by then. If so the process may run on; if not it is read as
    /// it stands.
    pub fn has_copied(&mut self, until: Instant) -> bool {
        loop {
            match self.next(until) {
                Next::HasRead => return true,
                Next::Going | Next::Warm => {}
                Next::NotCopied | Next::Nothing | Next::Over => return false,
            }
        }
    }

    /// Gives it the evidence, and the word to begin; its time begins now.
    ///
    /// # Errors
    /// The system's error, or it has ended.
    pub fn begin(&mut self, raw: &RawCapture) -> io::Result<()> {
        if std::mem::take(&mut self.copies) {
            // Who was never told to copy takes the first word for that.
            self.worker.begin()?;
        }
        raw.save_evidence(&self.evidence)?;
        self.worker.begin()
    }

    /// Waits until all that must be of one moment is read: whether it is, by then. That there will be none is
    /// no reason to wait either.
    pub fn has_read(&mut self, until: Instant) -> bool {
        loop {
            match self.next(until) {
                Next::HasRead => return true,
                Next::Going | Next::Warm | Next::NotCopied => {}
                Next::Nothing | Next::Over => return false,
            }
        }
    }

    /// Waits for its answer. `go_on` is asked every so often: if it says no, the worker is ended, for the
    /// reason that it gives.
    pub fn answer(mut self, every: Duration, go_on: &mut dyn FnMut() -> Result<(), String>) -> GraphAnswer {
        loop {
            match self.next(Instant::now() + every) {
                Next::HasRead | Next::Going | Next::Warm | Next::NotCopied => {}
                Next::Over => break,
                Next::Nothing => {
                    if let Err(why) = go_on() {
                        self.give_up(why);
                        break;
                    }
                }
            }
        }
        self.answer
    }

    fn next(&mut self, until: Instant) -> Next {
        if self.is_over {
            return Next::Over;
        }
        match self.worker.hear(until) {
            Heard::Nothing => return Next::Nothing,
            Heard::Said(Said::HasRead) => return Next::HasRead,
            Heard::Said(Said::Warm) => return Next::Warm,
            Heard::Said(Said::NotCopied) => return Next::NotCopied,
            Heard::Said(Said::Ready | Said::Doing { .. } | Said::Opened { .. }) => {}
            Heard::Said(Said::Part { answer }) => match checked(answer) {
                Ok(graph) => self.answer.graph = Some(graph),
                Err(why) => self.give_up(why),
            },
            Heard::Said(Said::Whole { answer, cost }) => match checked(answer) {
                Ok(graph) => {
                    self.is_over = true;
                    self.answer = GraphAnswer { graph: Some(graph), gap: None, cost: Some(cost) };
                }
                Err(why) => self.give_up(why),
            },
            // It knows that it was no good.
            Heard::Said(Said::Refused { why }) => self.give_up(why),
            Heard::Ended(end) => self.give_up(format!("its worker ended by {end}")),
        }
        if self.is_over { Next::Over } else { Next::Going }
    }

    fn give_up(&mut self, why: String) {
        self.is_over = true;
        if let Some(graph) = &mut self.answer.graph {
            graph.gaps.push(format!("{why}: what is shown was known by then"));
        }
        self.answer.gap = Some(why);
    }
}

/// Bytes for the heap of a dead process, beside its graph and beside what else wants memory of the machine.
fn room_for_a_heap(limits: Limits) -> u64 {
    let available = Machine::detect().available().unwrap_or_default();
    (limits.memory / 2).min(available / 4)
}

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It is ready for the word.
    Warm,
    HasRead,
    NotCopied,
    /// Something was said.
    Going,
    /// Nothing until then.
    Nothing,
    /// Nothing will come any more.
    Over,
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
