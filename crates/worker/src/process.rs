//! A worker, from outside: it is started, handed an order and descriptors, listened to, and ended when its
//! time is over. How it ended is said in words.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write as _};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::{Inbox, MAX_HANDED, MAX_RECEIVED, framed};
use crate::limits::{Bytes, Limits};
use crate::message::{Order, Said, parse};

/// The hidden subcommand of the binary that becomes a worker.
pub const SUBCOMMAND: &str = "worker";

/// Most bytes that one worker says in all: a part of its answer, and the whole.
const MAX_SAID: usize = 160 << 20;
/// Most bytes that are read from its line at once.
const PIECE: usize = 64 << 10;
/// How long one that was killed is waited for. It may sleep in the kernel, and nobody wakes it.
const MAX_DYING: Duration = Duration::from_secs(1);
/// Bytes of its last words that are kept.
const MAX_LAST_WORDS: u64 = 4096;

/// A worker that gives answers of this kind.
#[derive(Debug)]
pub struct Worker<A> {
    child: Option<Child>,
    line: UnixStream,
    last_words: Option<ChildStderr>,
    inbox: Inbox,
    /// Room for what comes at once; made for the first answer, and not zeroed for each.
    piece: Vec<u8>,
    said: usize,
    limits: Limits,
    until: Instant,
    /// Descriptors that came back with what it said.
    received: Vec<OwnedFd>,
    about: About,
    /// The clock of its processor time; to find it is a system call, and it is read after each question.
    clock: Option<ClockId>,
    /// Its processor time that somebody was told of.
    told: Duration,
    answers: PhantomData<A>,
}

/// How a worker ended before it had given its whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its memory was used up.
    Memory(u64),
    /// Its time was over.
    Time(Duration),
    /// Its time of processors was used up.
    Processor(Duration),
    /// It called the system for what it must not.
    Forbidden,
    /// It ended by a signal, or was killed.
    Signal(i32),
    /// It said something that cannot be.
    Nonsense(String),
    /// It has ended by itself, with its last words.
    Ended(String),
    /// It was told to.
    Dismissed,
}

impl fmt::Display for End {
    /// Goes on after "its worker ended by".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(most) => write!(f, "memory budget of {}", Bytes(*most)),
            Self::Time(most) => write!(f, "time budget of {} ms", most.as_millis()),
            Self::Processor(most) => write!(f, "processor budget of {} ms", most.as_millis()),
            Self::Forbidden => f.write_str("a system call that it must not make"),
            Self::Signal(n) => match Signal::try_from(*n) {
                Ok(signal) => write!(f, "{signal}"),
                Err(_) => write!(f, "signal {n}"),
            },
            Self::Nonsense(why) => f.write_str(why),
            Self::Ended(words) if words.is_empty() => f.write_str("itself, without a word"),
            Self::Ended(words) => write!(f, "itself: {words}"),
            Self::Dismissed => f.write_str("us"),
        }
    }
}

/// What comes of waiting for a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard<A> {
    /// It has said something.
    Said(Said<A>),
    /// Nothing until then.
    Nothing,
    /// It has ended.
    Ended(End),
}

/// Our own binary, which becomes a worker.
#[must_use]
pub fn own_binary() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(SUBCOMMAND);
    command
}

impl<A: DeserializeOwned> Worker<A> {
    /// Starts one and gives it its order, with descriptors; its time begins now.
    ///
    /// # Errors
    /// The system's error.
    pub fn start(
        command: Command,
        task: &impl Serialize,
        handed: &[BorrowedFd<'_>],
        limits: Limits,
    ) -> io::Result<Self> {
        let mut worker = Self::spawn(command, limits)?;
        worker.give(task, handed)?;
        Ok(worker)
    }

    /// Starts one that waits for its order.
    ///
    /// # Errors
    /// The system's error.
    pub fn spawn(mut command: Command, limits: Limits) -> io::Result<Self> {
        let (line, other) = UnixStream::pair()?;
        let until = Instant::now() + limits.time;
        // Of our environment nothing is its business. A heap for each thread would take addresses that it may
        // not have, and freed memory is to be given back at once.
        let mut child = command
            .env_clear()
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_THRESHOLD_", "262144")
            .env("MALLOC_TRIM_THRESHOLD_", "1048576")
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(other)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let last_words = child.stderr.take();
        if let Some(last_words) = &last_words {
            // Whoever may have inherited it too keeps us waiting for nothing.
            fcntl(last_words.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let inbox = Inbox::default();
        let (received, about, answers) = (Vec::new(), About::default(), PhantomData);
        let clock = clock_getcpuclockid(Pid::from_raw(child.id().cast_signed())).ok();
        Ok(Self {
            child: Some(child),
            line,
            last_words,
            inbox,
            piece: Vec::new(),
            said: 0,
            limits,
            until,
            received,
            about,
            clock,
            told: Duration::ZERO,
            answers,
        })
    }

    /// Gives one that waits its order, with descriptors; its time begins now.
    ///
    /// # Errors
    /// It has ended, or the system's error.
    pub fn give(&mut self, task: &impl Serialize, handed: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.until = Instant::now() + self.limits.time;
        let order = Order { parent: std::process::id().cast_signed(), limits: self.limits, task };
        self.order(&serde_json::to_vec(&order)?, handed)?;
        self.line.set_nonblocking(true)
    }

    /// Notes whom it reads.
    pub(crate) fn reads(&mut self, about: About) {
        self.about = about;
    }

    /// Has one do another piece of the same work, with a descriptor; its time begins anew.
    ///
    /// # Errors
    /// It has ended, or takes nothing.
    pub(crate) fn ask(&mut self, bytes: &[u8], handed: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.until = Instant::now() + self.limits.time;
        self.said = 0;
        self.order(bytes, handed)
    }

    /// Descriptors that came with what it has said so far.
    pub(crate) fn take_received(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.received)
    }

    fn order(&self, order: &[u8], handed: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = framed(order).filter(|_| handed.len() <= MAX_HANDED).ok_or(io::ErrorKind::InvalidInput)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_HANDED))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !handed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(handed)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // It may not even have begun; should it never read, the kernel's buffer takes an order of this size.
        let sent = sendmsg(&self.line, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        (&self.line).write_all(bytes.get(sent..).unwrap_or_default())
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The processor time that it has worked since this was asked the last time.
    pub(crate) fn worked(&mut self) -> Duration {
        // As long as it is not waited for, its number is its own.
        let clock = self.child.as_ref().and(self.clock);
        let all = clock.and_then(|clock| clock.now().ok()).map_or(self.told, Duration::from);
        let new = all.saturating_sub(self.told);
        self.told = all;
        new
    }

    /// Tells one that is ready to begin; its time begins anew.
    ///
    /// # Errors
    /// It has ended.
    pub fn begin(&mut self) -> io::Result<()> {
        self.until = Instant::now() + self.limits.time;
        (&self.line).write_all(b"!")
    }

    /// Waits for its next word, until then or the end of its time.
    pub fn hear(&mut self, until: Instant) -> Heard<A> {
        match self.hear_message(until) {
            Ok(Some(message)) => match parse(&message) {
                Ok(said) => Heard::Said(said),
                Err(e) => Heard::Ended(self.end(Some(End::Nonsense(format!("an answer that is none: {e}"))))),
            },
            Ok(None) => Heard::Nothing,
            Err(end) => Heard::Ended(end),
        }
    }

    /// Waits for its next message, whatever is in it; `None` where there is none until then.
    pub(crate) fn hear_message(&mut self, until: Instant) -> Result<Option<Vec<u8>>, End> {
        loop {
            match self.inbox.take() {
                Ok(Some(message)) => return Ok(Some(message)),
                Ok(None) => {}
                Err(broken) => return Err(self.end(Some(End::Nonsense(broken.to_string())))),
            }
            let now = Instant::now();
            if now >= self.until {
                return Err(self.end(Some(End::Time(self.limits.time))));
            }
            if now >= until {
                return Ok(None);
            }
            // Never less than is left, or it would be asked again and again in the last millisecond.
            let wait = until.min(self.until) - now + Duration::from_millis(1);
            let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut [PollFd::new(self.line.as_fd(), PollFlags::POLLIN)], timeout);
            self.piece.resize(PIECE, 0);
            match receive(&self.line, &mut self.piece, &mut self.received) {
                Ok(0) => return Err(self.end(None)),
                Ok(n) if self.said + n > MAX_SAID => {
                    let why = format!("more than {} said", Bytes(MAX_SAID as u64));
                    return Err(self.end(Some(End::Nonsense(why))));
                }
                Ok(n) => {
                    self.said += n;
                    self.inbox.push(self.piece.get(..n).unwrap_or_default());
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => return Err(self.end(None)),
            }
        }
    }

    /// Ends it, if it has not by itself; `why` we end it, else it is asked how it ended.
    fn end(&mut self, why: Option<End>) -> End {
        let Some(mut child) = self.child.take() else { return why.unwrap_or(End::Dismissed) };
        if why.is_some() {
            let _ = child.kill();
        }
        let Some(status) = wait(child, self.about) else { return why.unwrap_or(End::Signal(libc::SIGKILL)) };
        let mut text = Vec::new();
        if let Some(last_words) = self.last_words.take() {
            // What there is; that there is no more yet is an error here.
            let _ = last_words.take(MAX_LAST_WORDS).read_to_end(&mut text);
        }
        why.unwrap_or_else(|| ended(status, &String::from_utf8_lossy(&text), &self.limits))
    }
}

/// Reads from a line; descriptors that came with it are put to `received`, more than is ever asked for are
/// closed.
fn receive(line: &UnixStream, piece: &mut [u8], received: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_RECEIVED))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(line, &mut [IoSliceMut::new(piece)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(all) = message {
            received.extend(all);
        }
    }
    received.truncate(MAX_RECEIVED);
    Ok(got.bytes)
}

/// How it ended by itself.
fn ended(status: ExitStatus, last_words: &str, limits: &Limits) -> End {
    let mut lines = last_words.lines();
    // The standard library's words, before it aborts.
    if lines.any(|l| l.starts_with("memory allocation of ")) {
        return End::Memory(limits.memory);
    }
    match status.signal() {
        Some(libc::SIGSYS) => End::Forbidden,
        Some(libc::SIGXCPU) => End::Processor(limits.processor),
        Some(signal) => End::Signal(signal),
        None => End::Ended(last_words.lines().next().unwrap_or_default().chars().take(200).collect()),
    }
}

/// Waits for one that has ended or was killed; `None` if it does not end, since it sleeps in the kernel: it
/// is waited for by somebody who has time.
fn wait(mut child: Child, about: About) -> Option<ExitStatus> {
    let until = Instant::now() + MAX_DYING;
    let mut pause = Duration::from_micros(100);
    while Instant::now() < until {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => std::thread::sleep(pause),
            Err(_) => return None,
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    let _ = child.kill();
    let waiting = std::thread::Builder::new().name("worker-end".into()).stack_size(64 << 10);
    let number = child.id();
    lock_stuck().insert(number, about);
    let waited = waiting.spawn(move || {
        drop(child.wait());
        lock_stuck().remove(&number);
    });
    if waited.is_err() {
        lock_stuck().remove(&number);
    }
    None
}

/// Whom a worker reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// The process.
    pub(crate) pid: i32,
    /// Its user.
    pub(crate) uid: u32,
    /// The groups that it is in.
    pub(crate) group: u64,
}

/// Workers that hang in the kernel, of all kinds, from which on no more are started: each is a process and a
/// thread.
pub(crate) const MOST_STUCK: usize = 64;
/// So many workers may hang over processes of one user in one group, ...
const STUCK_IN_GROUP: usize = 4;
/// ... so many over those of a user wherever they are: a user may make groups of his own, ...
const STUCK_OF_USER: usize = 16;
/// ... and so many over those of root, who is somebody else in each container.
const STUCK_OF_ROOT: usize = MOST_STUCK / 2;

/// Workers that were killed and have not ended: they sleep in the kernel. With whom each has read.
static STUCK: Mutex<BTreeMap<u32, About>> = Mutex::new(BTreeMap::new());

fn lock_stuck() -> MutexGuard<'static, BTreeMap<u32, About>> {
    STUCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many workers were killed and have not ended, since they sleep in the kernel: on storage that does not
/// answer, say. Each is a process and a thread that waits for it.
#[must_use]
pub fn stuck() -> usize {
    lock_stuck().len()
}

/// Whether one more may read that process.
pub(crate) fn may_read(about: About) -> bool {
    may_beside(lock_stuck().values(), about)
}

/// Whether one more may, beside those that are stuck: none is over that process, few are over others of its
/// user and group, and not too many over that user's. Who shares a user's number with whoever makes workers
/// hang, as nearly everybody does in containers, is read all the same.
fn may_beside<'a>(stuck: impl Iterator<Item = &'a About> + Clone, about: About) -> bool {
    // A process may have another user by now.
    if stuck.clone().any(|other| other.pid == about.pid) {
        return false;
    }
    let of_user = stuck.filter(|other| other.uid == about.uid);
    let in_group = of_user.clone().filter(|other| other.group == about.group).count();
    let most = if about.uid == 0 { STUCK_OF_ROOT } else { STUCK_OF_USER };
    in_group < STUCK_IN_GROUP && of_user.count() < most
}

impl<A> Drop for Worker<A> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = wait(child, self.about);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes `0..` of that user and group, as far as each may be read beside those before it.
    fn hang(stuck: &mut Vec<About>, uid: u32, group: u64, most: i32) -> usize {
        let before = stuck.len();
        for pid in 0..most {
            let about = About { pid: pid + 1000 * before as i32, uid, group };
            if may_beside(stuck.iter(), about) {
                stuck.push(about);
            }
        }
        stuck.len() - before
    }

    /// Whoever makes workers hang has few of them, and takes none from others: of his number, of his group.
    #[test]
    fn few_workers_hang_over_one_tenant() {
        let mut stuck = Vec::new();
        assert_eq!(hang(&mut stuck, 0, 7, 100), 4, "root in a container");
        assert!(may_beside(stuck.iter(), About { pid: -1, uid: 0, group: 8 }), "root in another one");
        assert_eq!(hang(&mut stuck, 1000, 7, 100), 4);
        assert!(may_beside(stuck.iter(), About { pid: -1, uid: 1000, group: 8 }), "of the same base image");
        assert!(!may_beside(stuck.iter(), stuck[0]), "that very process");
        assert!(!may_beside(stuck.iter(), About { uid: 77, ..stuck[0] }), "also as another user");
        // Who makes groups for himself.
        let more: usize = (100..200).map(|group| hang(&mut stuck, 1000, group, 4)).sum();
        assert_eq!(more, 12);
        assert!(may_beside(stuck.iter(), About { pid: -1, uid: 1001, group: 100 }), "another user");
        let of_root: usize = (100..200).map(|group| hang(&mut stuck, 0, group, 4)).sum();
        assert_eq!(of_root, 28, "half of all");
        assert!(may_beside(stuck.iter(), About { pid: -1, uid: 1001, group: 100 }), "and others have theirs");
    }

    /// What a worker works is told once, and its sleep is none.
    #[test]
    fn what_a_worker_works_is_told_once() {
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exec sleep 60"]);
        let limits = Limits { memory: 32 << 20, time: Duration::from_secs(60), processor: Duration::from_secs(60) };
        let mut worker = Worker::<()>::spawn(command, limits).unwrap();
        let sleeps = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim() == "sleep";
        while !sleeps(worker.pid().unwrap()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(200));
        let (first, again) = (worker.worked(), worker.worked());
        assert!(first > Duration::from_millis(5) && again < first / 2, "{first:?}, {again:?}");
        drop(worker.end(Some(End::Dismissed)));
        assert_eq!(worker.worked(), Duration::ZERO, "one that has ended");
    }
}
