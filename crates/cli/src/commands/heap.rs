//! `capture PID --heap`: the heap of a live process as a graph. It is said beforehand how long the process
//! will stand still; a worker reads meanwhile, and reckons when it runs on.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use lastgasp_decode::{awaited_descriptors, describe_descriptors};
use lastgasp_goruntime::waits::waits_for_descriptors;
use lastgasp_goruntime::{HeapObjects, PointerMap};
use lastgasp_inferior::{Addr, CoreFile, Memory, Part, bytes_to_copy};
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::kernel::sockets::OpenDescriptors;
use lastgasp_observe::raw_capture::{MemoryMap, OtherMemory, RawCapture, Source, WhenRead};
use lastgasp_observe::target::Target;
use lastgasp_recorder::own_process::{run_as_others, run_before_others};
use lastgasp_recorder::stop::Stopper;
use lastgasp_recorder::take::{CaptureContext, take, take_and};
use lastgasp_worker::{GraphAnswer, GraphWorker, Limits, Room, Whose};
use nix::fcntl::OFlag;

use super::stop::Stop;
use crate::args::HeapFlags;
use crate::output::complain;

/// Time that a graph may take in all, beside the stop: one of a hundred million objects takes half a minute.
const MAX_TIME: Duration = Duration::from_secs(300);
/// How often a person is told that it still goes on.
const PROGRESS: Duration = Duration::from_secs(1);

/// Most bytes of a process that are copied while it stands still: a tenth of a second at most machines.
const MOST_COPIED: u64 = 512 << 20;
/// How long a worker may take to be ready.
const WARM_AT_MOST: Duration = Duration::from_secs(5);

/// How long links of open descriptors are read: ten thousand take some 20 ms. On a machine that has forty at
/// work 40 ms were over after the first few.
const LINKS_AT_MOST: Duration = Duration::from_millis(250);

/// Takes evidence of a process and the graph of its heap, both of one moment where that can be had.
pub(super) fn take_with_heap(
    target: &Target,
    stop: Stop,
    context: CaptureContext<'_>,
    flags: &HeapFlags,
    keep: Option<Keep<'_>>,
) -> Result<(RawCapture, GraphAnswer, Option<Source>)> {
    let pid = target.process.pid();
    let whose = match stop {
        Stop::ForTheCopy => Whose::Live(pid),
        Stop::Never => Whose::Running(pid),
    };
    let limits = Limits::of_a_graph(flags.heap_memory, MAX_TIME);
    // For as long as the process stands still it and its worker run before others.
    run_before_others();
    let room = if stop == Stop::Never { Room::None } else { room_of(target, limits.memory, flags.max_stop) };
    let mut worker = match GraphWorker::start_with_room(&target.process, whose, room, limits) {
        Ok(worker) => worker,
        // One that is lost at once costs the graph alone, as one that is lost later does (seen on a busy
        // machine: live_heap.rs ended it before it had heard what it was for).
        Err(e) => {
            run_as_others();
            let stopper = (stop == Stop::ForTheCopy).then(|| Stopper::by_ptrace_for(flags.max_stop));
            return Ok((take(target, stopper.as_ref(), context), GraphAnswer::none(e), None));
        }
    };
    if stop == Stop::Never {
        let raw = take(target, None, context);
        let began = worker.begin(&raw);
        let open = descriptors(&raw, pid, Instant::now() + LINKS_AT_MOST);
        run_as_others();
        let mut answer = answer(worker, began.map_err(|e| e.to_string()), None, "the process was not stopped for it");
        describe(&mut answer, open);
        return Ok((raw, answer, None));
    }
    if let Some(forecast) = Forecast::of(target) {
        let forecast = Forecast { room, ..forecast };
        complain(&format!("lastgasp: {}", forecast.sentence(pid, flags.max_stop)));
    }
    // One that is not warm by then is waited for while the process stands still.
    worker.is_warm(Instant::now() + WARM_AT_MOST);
    let stopper = Stopper::by_ptrace_for(flags.max_stop);
    let mut kept: Option<Arc<CoreFile>> = None;
    let (mut began, mut stood) = (Err("the process could not be stopped".to_owned()), None);
    let mut open = None;
    let mut is_copied = false;
    let stopping = Instant::now();
    let raw = take_and(target, Some(&stopper), context, &mut |raw| {
        // To let it go takes a moment too.
        const LETTING_GO: Duration = Duration::from_millis(10);
        let until = stopping + flags.max_stop.saturating_sub(LETTING_GO);
        let copies = worker.begin_to_copy().unwrap_or_default();
        if !copies {
            began = begin(&mut worker, raw);
        }
        // While that one reads.
        open = descriptors(raw, pid, until.min(Instant::now() + LINKS_AT_MOST));
        is_copied = copies && worker.has_copied(until);
        if is_copied {
            stood = Some(());
            kept = keep.and_then(|keep| keep.memory(raw, target, until));
            return as_memory(kept.as_ref());
        }
        if copies {
            began = begin(&mut worker, raw);
        }
        stood = (began.is_ok() && worker.has_read(until)).then_some(());
        if stood.is_some() {
            kept = keep.and_then(|keep| keep.memory(raw, target, until));
        }
        as_memory(kept.as_ref())
    });
    run_as_others();
    if is_copied {
        began = begin(&mut worker, &raw);
    }
    let held = stopping.elapsed().min(raw.stopped);
    let stood = stood.map(|()| held);
    complain(&format!("lastgasp: process {pid} stood still for {} ms", raw.stopped.as_millis()));
    let why = format!("it ran on after {} ms (--max-stop), before all was read", flags.max_stop.as_millis());
    let mut answer = answer(worker, began, stood, &why);
    describe(&mut answer, open);
    if let Some(graph) = &mut answer.graph {
        graph.stopped_ns = raw.stopped.as_nanos() as u64;
    }
    Ok((raw, answer, kept.map(|core| Source::core(core, WhenRead::Still))))
}

/// What was kept, as memory.
fn as_memory(kept: Option<&Arc<CoreFile>>) -> Option<Arc<dyn Memory>> {
    kept.map(|core| Arc::clone(core) as Arc<dyn Memory>)
}

/// Gives the word to begin. One that has ended by then says itself why.
fn begin(worker: &mut GraphWorker, raw: &RawCapture) -> Result<(), String> {
    if worker.is_over() { Ok(()) } else { worker.begin(raw).map_err(|e| e.to_string()) }
}

/// How a process that stands still is copied. As it is, where there are memory and time for that; packed,
/// where both fit into what the graph may have: what is reckoned, and it. Else its heap is read where it is,
/// which needs no room, and types then have little of the time.
fn room_of(target: &Target, memory: u64, max_stop: Duration) -> Room {
    /// Bytes a second that are copied on a slow and busy machine.
    const SLOWLY: u64 = 1 << 30;
    let Some(resident) = target.process.residency() else { return Room::None };
    let available = Machine::detect().available().unwrap_or_default() / 4;
    if let Some(bytes) = bytes_to_copy(&resident) {
        let most = MOST_COPIED.min(memory / 2).min(available);
        let in_time = Duration::from_secs_f64(bytes as f64 / SLOWLY as f64) <= max_stop / 2;
        if in_time && bytes <= most {
            return Room::Copied(bytes);
        }
    }
    let own = resident.iter().map(|r| r.anon).fold(0, u64::saturating_add);
    packed_room(own, memory, available)
}

/// As [`room_of`], of one that is too large for a copy as it is: `own` bytes of it are its own.
fn packed_room(own: u64, memory: u64, available: u64) -> Room {
    /// Tenths of a process's memory that a graph of small objects takes (benches/results/heap.txt), and that
    /// it takes packed at most: mostly half of that.
    const RECKONED: u64 = 6;
    const PACKED: u64 = 3;
    let reckoned = own / 10 * RECKONED;
    let budget = (own / 10 * PACKED).min(memory.saturating_sub(reckoned)).min(available);
    // Less is not worth trying.
    if budget >= own / 8 { Room::Packed(budget) } else { Room::None }
}

/// The open descriptors of a process, if a goroutine of it waits for one.
fn descriptors(raw: &RawCapture, pid: i32, until: Instant) -> Option<OpenDescriptors> {
    let wanted = waits_for_descriptors(&raw.runtime, &raw.evidence.snapshot);
    wanted.then(|| OpenDescriptors::read(pid, until))
}

/// Says of the descriptors that goroutines wait for what they are, and who the peers are.
fn describe(answer: &mut GraphAnswer, open: Option<OpenDescriptors>) {
    /// A table of a hundred thousand sockets takes some 200 ms; the process runs on meanwhile.
    const AT_MOST: Duration = Duration::from_secs(2);
    if let Some((graph, open)) = answer.graph.as_mut().zip(open) {
        let known = open.describe(&awaited_descriptors(graph), Instant::now() + AT_MOST);
        describe_descriptors(graph, &known);
    }
}

/// Where memory of a process that stands still is kept until its capture is written.
#[derive(Clone, Copy)]
pub(super) struct Keep<'a> {
    pub(super) map: &'a MemoryMap,
    /// A folder on the disk that the capture will stand on.
    pub(super) folder: &'a Path,
}

impl Keep<'_> {
    /// All of its memory, in a file without a name; `None` if there was no time for all of it: it is then
    /// kept as it is a moment later.
    fn memory(self, raw: &RawCapture, target: &Target, until: Instant) -> Option<Arc<CoreFile>> {
        let unnamed = (OFlag::O_TMPFILE | OFlag::O_CLOEXEC).bits();
        let file =
            OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(unnamed).open(self.folder).ok()?;
        let go_on = || Instant::now() < until;
        let other = OtherMemory::of_process(&target.process, self.map, raw, WhenRead::Still, &go_on);
        let saved = raw.save_memory(file, &other).ok().filter(|saved| go_on() && saved.gaps.is_empty())?;
        let core = CoreFile::open(saved.out, "its memory").ok()?;
        Some(Arc::new(core))
    }
}

/// Waits for the answer; `stood`: it stood still until all was read, else `why` not.
fn answer(worker: GraphWorker, began: Result<(), String>, stood: Option<Duration>, why: &str) -> GraphAnswer {
    if let Err(why) = began {
        return GraphAnswer::none(why);
    }
    let since = Instant::now();
    let mut answer = worker.answer(PROGRESS, &mut || {
        complain(&format!("lastgasp: the heap graph is reckoned: {} s", since.elapsed().as_secs()));
        Ok(())
    });
    if stood.is_none() {
        answer.not_of_one_moment(why);
    }
    answer
}

/// How long a process will stand still.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Forecast {
    /// Bytes of its heap with pointers.
    bytes: u64,
    /// Bytes a second that can be read of it here.
    speed: f64,
    /// How it is copied, if it is.
    room: Room,
}

impl Forecast {
    /// Of a process that runs: spans are counted, and some of them read to see how fast that goes.
    fn of(target: &Target) -> Option<Self> {
        let objects = HeapObjects::read(&target.runtime, &*target.process, &mut Vec::new())?;
        let bytes = objects.bytes_with_pointers();
        let scanned = objects.spans().iter().filter(|s| s.map != PointerMap::None && s.objects > 0);
        let speed = speed(&*target.process, scanned.map(|s| (s.start, s.bytes)));
        Some(Self { bytes, speed, room: Room::None })
    }

    /// Reading, and looking at every word. Both threads do both; how fast that goes hangs on the machine and
    /// on who else is busy there as reading does.
    fn time(&self) -> Duration {
        /// To note pointers takes so many times as long as to read them with one thread: 2 to 3 with two
        /// threads, benches/results/worker.txt.
        const NOTED: f64 = 2.5;
        /// A copy of the evidence, and all threads to stop.
        const AT_LEAST: Duration = Duration::from_millis(8);
        /// Large pieces: many times what small ones of a heap are read with.
        const COPIED: f64 = 3e9;
        /// To pack takes so many times as long as to read with one thread, with two threads; what has no
        /// pointers is looked through meanwhile.
        const PACKED: f64 = 1.5;
        let read = |times: f64| Duration::from_secs_f64(self.bytes as f64 / self.speed.max(1e6) * times);
        AT_LEAST
            + match self.room {
                Room::Copied(bytes) => Duration::from_secs_f64(bytes as f64 / COPIED),
                Room::Packed(_) => read(PACKED),
                Room::None => read(NOTED),
            }
    }

    fn sentence(&self, pid: i32, most: Duration) -> String {
        let (mb, ms) = (self.bytes as f64 / 1e6, self.time().as_millis());
        let gb = self.speed / 1e9;
        let why = match self.room {
            Room::Copied(bytes) => {
                format!("{:.0} MB of its memory are copied, and read afterwards", bytes as f64 / 1e6)
            }
            Room::Packed(_) => {
                format!("{mb:.0} MB of its heap have pointers and are packed, read at {gb:.1} GB/s here")
            }
            Room::None => format!("{mb:.0} MB of its heap have pointers, read at {gb:.1} GB/s here"),
        };
        if self.time() <= most {
            format!("process {pid} will stand still for about {ms} ms ({why})")
        } else {
            format!(
                "process {pid} will stand still for {} ms (--max-stop; about {ms} ms are needed: {why}); the rest is read while it runs on, and is not exact",
                most.as_millis()
            )
        }
    }
}

/// Bytes a second, by up to 16 MiB of these pieces of memory.
fn speed(memory: &dyn Memory, pieces: impl Iterator<Item = (Addr, u64)>) -> f64 {
    const MOST: usize = 16 << 20;
    const PIECE: usize = 256 << 10;
    let mut buf = vec![0u8; PIECE];
    let (mut read, mut took) = (0usize, Duration::ZERO);
    for (start, bytes) in pieces {
        let len = usize::try_from(bytes).unwrap_or(PIECE).min(PIECE);
        let began = Instant::now();
        let Some(buf) = buf.get_mut(..len) else { break };
        memory.read_parts(&mut [Part { addr: start, buf, ok: false }]);
        took += began.elapsed();
        read += len;
        if read >= MOST {
            break;
        }
    }
    read as f64 / took.as_secs_f64().max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_how_long_it_stands_still() {
        let forecast = |bytes| Forecast { bytes, speed: 4e9, room: Room::None };
        let most = Duration::from_millis(500);
        let said = forecast(48_000_000).sentence(7, most);
        assert!(said.starts_with("process 7 will stand still for about 38 ms (48 MB"), "{said}");
        let said = forecast(4_000_000_000).sentence(7, most);
        assert!(said.contains("for 500 ms (--max-stop; about 2508 ms") && said.contains("not exact"), "{said}");
        let said = Forecast { room: Room::Copied(90_000_000), ..forecast(48_000_000) }.sentence(7, most);
        assert!(said.contains("for about 38 ms (90 MB of its memory are copied"), "{said}");
        let said = Forecast { room: Room::Packed(90_000_000), ..forecast(1_000_000_000) }.sentence(7, most);
        assert!(said.contains("for about 383 ms (1000 MB of its heap have pointers and are packed"), "{said}");
    }

    #[test]
    fn what_is_packed_leaves_room_for_the_graph() {
        let room = |own: u64, memory: u64| packed_room(own << 20, memory << 20, u64::MAX);
        assert_eq!(room(1000, 1024), Room::Packed(300 << 20));
        assert_eq!(room(1300, 1024), Room::Packed((1024 - 780) << 20));
        assert_eq!((room(1500, 1024), packed_room(1 << 30, 8 << 30, 1 << 20)), (Room::None, Room::None));
    }
}
