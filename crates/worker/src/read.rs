//! Memory of a process, read by a worker for whoever must not hang: as it is asked for, piece by piece, until
//! nobody asks any more. The memory comes with each question, as an open `/proc/PID/mem`; whose it is the
//! worker does not know, and it looks at none of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_inferior::{Addr, HandedMemory, Memory, Part, ReadCause, ReadError};
use lastgasp_observe::target::inspect::ReadByAnother;

use crate::confine::Reach;
use crate::frame::{Inbox, framed};
use crate::message::{Order, Said};
use crate::pages::{PAGE, Pages, Visit};
use crate::pool::Pool;
use crate::process::{About, Worker, may_read};
use crate::serve::{next_piece, obey};

/// Most bytes, and most pieces, of one question.
const MAX_BYTES: usize = 1 << 20;
const MAX_PARTS: usize = 1024;
/// Bytes of a piece in a question: its address and its length.
const PART: usize = 12;

/// Reads as it is asked, in a worker.
pub(crate) fn obey_read(order: Order<()>) -> Result<(), String> {
    obey(order, Vec::new(), Reach::Questions, |(), _, line| {
        let mut inbox = Inbox::default();
        while let Ok(Some((question, mut handed))) = next_piece(&mut inbox) {
            let Some(mem) = handed.pop() else { break };
            let Some(answer) = framed(&answer(&question, &HandedMemory::new(mem))) else { break };
            if !line.send(&answer) {
                break;
            }
        }
        Said::<()>::Refused { why: "nobody asks any more".into() }
    })
}

/// A question: pieces of memory.
fn question(parts: &[(Addr, usize)]) -> Vec<u8> {
    parts.iter().flat_map(|(at, len)| at.0.to_le_bytes().into_iter().chain((*len as u32).to_le_bytes())).collect()
}

/// The answer: a byte for each piece, 1 if it was read, and the bytes of those that were, one after the
/// other.
fn answer(question: &[u8], mem: &dyn Memory) -> Vec<u8> {
    let word = |b: &[u8]| b.try_into().ok().map(u64::from_le_bytes);
    let piece =
        |b: &[u8]| Some((Addr(word(b.get(..8)?)?), u32::from_le_bytes(b.get(8..12)?.try_into().ok()?) as usize));
    let pieces: Vec<(Addr, usize)> = question.chunks_exact(PART).take(MAX_PARTS).filter_map(piece).collect();
    let all: usize = pieces.iter().map(|(_, len)| *len).sum();
    let mut bytes = vec![0; all.min(MAX_BYTES)];
    let mut rest = bytes.as_mut_slice();
    let mut parts = Vec::new();
    for (addr, len) in pieces {
        let Some((buf, tail)) = rest.split_at_mut_checked(len) else { break };
        rest = tail;
        parts.push(Part { addr, buf, ok: false });
    }
    mem.read_parts(&mut parts);
    let mut out: Vec<u8> = parts.iter().map(|p| u8::from(p.ok)).collect();
    for part in parts.iter().filter(|p| p.ok) {
        out.extend_from_slice(part.buf);
    }
    out
}

/// What an answer says: of each piece its bytes, if it was read; `None` if it is no answer to that question.
pub fn parse_answer<'a>(answer: &'a [u8], lengths: &[usize]) -> Option<Vec<Option<&'a [u8]>>> {
    let (marks, mut rest) = answer.split_at_checked(lengths.len())?;
    let mut all = Vec::with_capacity(lengths.len().min(MAX_PARTS));
    for (mark, len) in marks.iter().zip(lengths) {
        all.push(match mark {
            0 => None,
            1 => {
                let (bytes, tail) = rest.split_at_checked(*len)?;
                rest = tail;
                Some(bytes)
            }
            _ => return None,
        });
    }
    rest.is_empty().then_some(all)
}

/// A process whose memory did not answer is asked again after this time, and then after twice as long as the
/// time before, up to that.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// Processes at whose memory workers were lost.
#[derive(Debug, Default)]
pub(crate) struct Silent(Mutex<BTreeMap<(i32, u64), Past>>);

/// What came of asking before.
#[derive(Clone, Copy, Debug)]
struct Past {
    /// When it may be asked again.
    again: Instant,
    pause: Duration,
}

impl Silent {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(i32, u64), Past>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a process may be asked again, if that is later than now.
    pub(crate) fn until(&self, pid: i32, started: u64) -> Option<Instant> {
        self.lock().get(&(pid, started)).map(|past| past.again).filter(|again| *again > Instant::now())
    }

    /// A worker was lost over it; gives the pause.
    fn lost(&self, pid: i32, started: u64) -> Duration {
        let (now, mut all) = (Instant::now(), self.lock());
        make_room(&mut all, now);
        let pause = all.get(&(pid, started)).map_or(PAUSES.0, |past| (past.pause * 2).clamp(PAUSES.0, PAUSES.1));
        all.insert((pid, started), Past { again: now + pause, pause });
        pause
    }

    /// Nobody asked it, as no worker was to be had for that: it says nothing of it, and its pause is the same
    /// again and again. (Else who is new meanwhile seems to have no runtime yet, and is passed by in the
    /// end.)
    fn put_off(&self, pid: i32, started: u64) {
        const PUT_OFF: Duration = Duration::from_secs(5);
        let (now, mut all) = (Instant::now(), self.lock());
        make_room(&mut all, now);
        let again = now + PUT_OFF;
        let past = all.entry((pid, started)).or_insert(Past { again, pause: Duration::ZERO });
        past.again = past.again.max(again);
    }

    /// It has answered.
    fn answered(&self, pid: i32, started: u64) {
        self.lock().remove(&(pid, started));
    }
}

/// Forgets what was so long ago that it says nothing.
fn make_room(all: &mut BTreeMap<(i32, u64), Past>, now: Instant) {
    const OVER: Duration = Duration::from_secs(3600);
    if all.len() >= 1024 {
        all.retain(|_, past| now < past.again + OVER.min(past.pause));
    }
}

/// Memory of a process, read by workers.
#[derive(Debug)]
pub(crate) struct ReadMemory {
    about: About,
    started: u64,
    mem: Arc<File>,
    common: Arc<Common>,
    /// Its number among memories whose pages are kept.
    number: u64,
    visit: Mutex<Visit>,
    /// Somebody is in a hurry, and wants what the asker holds.
    hurried: AtomicBool,
    /// Nanoseconds of processor time that workers have spent on it.
    worked: AtomicU64,
}

/// What all memories that workers read have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) readers: Arc<Pool<()>>,
    pub(crate) silent: Silent,
    pages: Mutex<Pages>,
    memories: AtomicU64,
}

impl Common {
    pub(crate) fn new(readers: Arc<Pool<()>>) -> Self {
        Self { readers, silent: Silent::default(), pages: Mutex::default(), memories: AtomicU64::new(0) }
    }
}

/// How soon it is seen that somebody is in a hurry.
const SEEN: Duration = Duration::from_millis(1);

impl ReadMemory {
    pub(crate) fn new(about: About, started: u64, mem: Arc<File>, common: Arc<Common>) -> Self {
        let number = common.memories.fetch_add(1, Ordering::Relaxed);
        let (hurried, worked) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { about, started, mem, common, number, visit: Mutex::default(), hurried, worked }
    }

    /// Asks for pieces that make one question; `None`: it does not answer.
    fn ask(&self, parts: &mut [Part<'_>]) -> Option<()> {
        if self.is_hurried() || self.common.silent.until(self.about.pid, self.started).is_some() {
            return None;
        }
        if !may_read(self.about) {
            self.common.silent.put_off(self.about.pid, self.started);
            return None;
        }
        let Some(mut lent) = self.common.readers.take_unless(&self.hurried) else {
            if !self.is_hurried() {
                self.common.silent.put_off(self.about.pid, self.started);
            }
            return None;
        };
        let worker = lent.as_mut()?;
        worker.reads(self.about);
        let asked: Vec<(Addr, usize)> = parts.iter().map(|p| (p.addr, p.buf.len())).collect();
        match exchange(worker, &question(&asked), &self.mem, &self.hurried) {
            // Its answer would be taken for that to the next question.
            Ok(None) => {
                lent.abandon();
                None
            }
            Ok(Some(answer)) => {
                let worked = u64::try_from(worker.worked().as_nanos()).unwrap_or(u64::MAX);
                self.worked.fetch_add(worked, Ordering::Relaxed);
                lent.give_back();
                self.common.silent.answered(self.about.pid, self.started);
                let lengths: Vec<usize> = asked.iter().map(|(_, len)| *len).collect();
                let said = parse_answer(&answer, &lengths)?;
                for (part, bytes) in parts.iter_mut().zip(said) {
                    part.ok = bytes.is_some_and(|bytes| bytes.len() == part.buf.len());
                    if let (true, Some(bytes)) = (part.ok, bytes) {
                        part.buf.copy_from_slice(bytes);
                    }
                }
                Some(())
            }
            Err(why) => {
                let pause = self.common.silent.lost(self.about.pid, self.started);
                self.common.readers.lost(self.about.pid, "read its memory", &why, pause);
                None
            }
        }
    }

    /// Bytes within one page; `None`: it is to be asked for them alone.
    fn of_a_page(&self, addr: Addr, buf: &mut [u8]) -> Option<()> {
        let skip = (addr.0 % PAGE as u64) as usize;
        if buf.len() > PAGE / 2 || skip + buf.len() > PAGE {
            return None;
        }
        let wanted = addr.0 / PAGE as u64;
        let ahead = self.visit.lock().unwrap_or_else(PoisonError::into_inner).wants(wanted, Instant::now());
        if self.lock_pages().get((self.number, wanted), skip, buf).is_some() {
            return Some(());
        }
        let numbers: Vec<u64> = [wanted].into_iter().chain(ahead).collect();
        let mut pages = vec![0; numbers.len() * PAGE];
        let at = numbers.iter().map(|n| Addr(n * PAGE as u64));
        let mut parts: Vec<Part<'_>> =
            at.zip(pages.chunks_exact_mut(PAGE)).map(|(addr, buf)| Part { addr, buf, ok: false }).collect();
        self.ask(&mut parts)?;
        let read: Vec<bool> = parts.iter().map(|p| p.ok).collect();
        let (mut kept, now) = (self.lock_pages(), Instant::now());
        for ((number, page), _) in numbers.iter().zip(pages.chunks_exact(PAGE)).zip(&read).filter(|(_, read)| **read) {
            kept.put((self.number, *number), now, page);
        }
        read.first()?.then(|| kept.get((self.number, wanted), skip, buf))?
    }

    fn lock_pages(&self) -> MutexGuard<'_, Pages> {
        self.common.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One question and its answer, `None` if that is not waited for any more; why there is none.
fn exchange(
    worker: &mut Worker<()>,
    question: &[u8],
    mem: &File,
    hurried: &AtomicBool,
) -> Result<Option<Vec<u8>>, String> {
    worker.ask(question, &[mem.as_fd()]).map_err(|e| e.to_string())?;
    loop {
        match worker.hear_message(Instant::now() + SEEN) {
            Ok(Some(answer)) => return Ok(Some(answer)),
            Ok(None) if hurried.load(Ordering::Acquire) => return Ok(None),
            // Its time has an end.
            Ok(None) => {}
            Err(end) => return Err(format!("its worker ended by {end}")),
        }
    }
}

impl ReadByAnother for ReadMemory {
    fn hurry(&self, hurry: bool) {
        self.hurried.store(hurry, Ordering::Release);
    }

    fn is_hurried(&self) -> bool {
        self.hurried.load(Ordering::Acquire)
    }

    fn worked(&self) -> Duration {
        Duration::from_nanos(self.worked.load(Ordering::Relaxed))
    }
}

impl Memory for ReadMemory {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let len = buf.len();
        if self.of_a_page(addr, buf).is_some() {
            return Ok(());
        }
        let mut at = addr;
        for piece in buf.chunks_mut(MAX_BYTES) {
            let n = piece.len() as u64;
            let mut part = [Part { addr: at, buf: piece, ok: false }];
            self.ask(&mut part).ok_or(ReadError { addr, len, cause: ReadCause::TooLate })?;
            if !part.iter().all(|p| p.ok) {
                return Err(ReadError { addr, len, cause: ReadCause::Absent });
            }
            at = at.plus(n);
        }
        Ok(())
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        let mut rest = parts;
        while !rest.is_empty() {
            let (mut n, mut bytes) = (0, 0);
            for part in rest.iter().take(MAX_PARTS) {
                bytes += part.buf.len();
                if bytes > MAX_BYTES {
                    break;
                }
                n += 1;
            }
            // One that is larger than a question.
            if n == 0 {
                if let Some(part) = rest.first_mut() {
                    part.ok = self.read(part.addr, part.buf).is_ok();
                }
                rest = rest.get_mut(1..).unwrap_or_default();
                continue;
            }
            let (batch, tail) = rest.split_at_mut(n);
            if self.ask(batch).is_none() {
                return;
            }
            rest = tail;
        }
    }

    fn shared(&self) -> Option<&(dyn Memory + Sync)> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;
    use crate::pool::{Turn, Use};
    use crate::task::AnyTask;

    #[test]
    fn what_is_asked_for_is_answered_piece_by_piece() {
        let bytes: Vec<u8> = (0..=255).collect();
        let at = Addr(bytes.as_ptr() as u64);
        let mem = HandedMemory::new(File::open("/proc/self/mem").unwrap());
        let asked = [(at, 16), (Addr(8), 8), (at.plus(100), 3)];
        let said = answer(&question(&asked), &mem);
        let said = parse_answer(&said, &[16, 8, 3]).unwrap();
        assert_eq!(said, [Some(&bytes[..16]), None, Some(&bytes[100..103])]);
        // More than a question may have is not read.
        let much = [(at, usize::MAX >> 40), (at, 1 << 30)];
        assert_eq!(answer(&question(&much), &mem).len(), 0);
    }

    #[test]
    fn a_process_that_is_silent_is_asked_ever_more_rarely() {
        let silent = Silent::default();
        let pauses: Vec<u64> = (0..9).map(|_| silent.lost(7, 1).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert!(silent.until(7, 1).is_some() && silent.until(7, 2).is_none() && silent.until(8, 1).is_none());
        silent.answered(7, 1);
        assert!(silent.until(7, 1).is_none());
        // Who could not be asked for want of workers is not the rarer for it.
        silent.put_off(9, 1);
        silent.put_off(9, 1);
        assert!(silent.until(9, 1).is_some_and(|again| again <= Instant::now() + Duration::from_secs(5)));
        assert_eq!(silent.lost(9, 1).as_secs(), 5);
    }

    /// A worker that has no turn: who is in a hurry waits a moment for it, and not for the end of its time.
    #[test]
    fn who_is_in_a_hurry_waits_for_no_answer() {
        let sleeps = || {
            let mut command = std::process::Command::new("sleep");
            command.arg("60");
            command
        };
        let limits = Limits { memory: 32 << 20, time: Duration::from_secs(30), processor: Duration::from_secs(30) };
        let given = |mut worker: Worker<()>| worker.give(&AnyTask::Read, &[]).map(|()| worker);
        let readers = Pool::start("starved", sleeps, limits, (1, Use::Again), Turn::AsOthers, given).unwrap();
        let common = Arc::new(Common::new(readers));
        let mem = Arc::new(File::open("/proc/self/mem").unwrap());
        let memory = ReadMemory::new(About { pid: 1 << 30, ..About::default() }, 1, mem, common);
        std::thread::scope(|threads| {
            let asks = threads.spawn(|| memory.read(Addr(SECRET.as_ptr() as u64), &mut [0; 8]));
            std::thread::sleep(Duration::from_millis(300));
            assert!(!asks.is_finished(), "it waits for its answer");
            let began = Instant::now();
            memory.hurry(true);
            assert!(asks.join().unwrap().is_err());
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        });
        let began = Instant::now();
        assert!(memory.read(Addr(SECRET.as_ptr() as u64), &mut [0; 8]).is_err(), "while somebody is");
        assert!(began.elapsed() < Duration::from_millis(500));
        assert_eq!(
            (memory.common.readers.count_lost(), memory.common.silent.until(1 << 30, 1)),
            (0, None),
            "nobody was lost"
        );
    }

    static SECRET: [u8; 8] = *b"lastgasp";

    proptest! {
        /// No answer whatever is taken for more than was asked for, or panics.
        #[test]
        fn any_answer(bytes in prop::collection::vec(any::<u8>(), 0..200), lengths in prop::collection::vec(0usize..80, 0..8)) {
            if let Some(said) = parse_answer(&bytes, &lengths) {
                prop_assert_eq!(said.len(), lengths.len());
                for (said, len) in said.iter().zip(&lengths) {
                    prop_assert!(said.is_none_or(|bytes| bytes.len() == *len));
                }
            }
        }
    }
}
