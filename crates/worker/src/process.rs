//! A worker, from outside: it is started, handed an order and descriptors, listened to, and ended when its
//! time is over. How it ended is said in words.

use std::fmt;
use std::io::{self, IoSlice, Read, Write as _};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::{Inbox, framed};
use crate::limits::{Bytes, Limits};
use crate::message::{Order, Said, parse};
use crate::serve::MAX_HANDED;

/// The hidden subcommand of the binary that becomes a worker.
pub const SUBCOMMAND: &str = "worker";

/// Most bytes that one worker says in all: a part of its answer, and the whole.
const MAX_SAID: usize = 160 << 20;
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
    said: usize,
    limits: Limits,
    until: Instant,
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
        mut command: Command,
        task: &impl Serialize,
        handed: &[BorrowedFd<'_>],
        limits: Limits,
    ) -> io::Result<Self> {
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
        let worker = Self { child: Some(child), line, last_words, inbox, said: 0, limits, until, answers: PhantomData };
        let order = Order { parent: std::process::id().cast_signed(), limits, task };
        worker.order(&serde_json::to_vec(&order)?, handed)?;
        worker.line.set_nonblocking(true)?;
        Ok(worker)
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
        loop {
            match self.inbox.take() {
                Ok(Some(message)) => {
                    return match parse(&message) {
                        Ok(said) => Heard::Said(said),
                        Err(e) => Heard::Ended(self.end(Some(End::Nonsense(format!("an answer that is none: {e}"))))),
                    };
                }
                Ok(None) => {}
                Err(broken) => return Heard::Ended(self.end(Some(End::Nonsense(broken.to_string())))),
            }
            let now = Instant::now();
            if now >= self.until {
                return Heard::Ended(self.end(Some(End::Time(self.limits.time))));
            }
            if now >= until {
                return Heard::Nothing;
            }
            // Never less than is left, or it would be asked again and again in the last millisecond.
            let wait = until.min(self.until) - now + Duration::from_millis(1);
            let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut [PollFd::new(self.line.as_fd(), PollFlags::POLLIN)], timeout);
            let mut piece = [0; 64 << 10];
            match self.line.read(&mut piece) {
                Ok(0) => return Heard::Ended(self.end(None)),
                Ok(n) if self.said + n > MAX_SAID => {
                    let why = format!("more than {} said", Bytes(MAX_SAID as u64));
                    return Heard::Ended(self.end(Some(End::Nonsense(why))));
                }
                Ok(n) => {
                    self.said += n;
                    self.inbox.push(piece.get(..n).unwrap_or_default());
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => return Heard::Ended(self.end(None)),
            }
        }
    }

    /// Ends it, if it has not by itself; `why` we end it, else it is asked how it ended.
    fn end(&mut self, why: Option<End>) -> End {
        let Some(mut child) = self.child.take() else { return why.unwrap_or(End::Dismissed) };
        if why.is_some() {
            let _ = child.kill();
        }
        let Some(status) = wait(child) else { return why.unwrap_or(End::Signal(libc::SIGKILL)) };
        let mut text = Vec::new();
        if let Some(last_words) = self.last_words.take() {
            // What there is; that there is no more yet is an error here.
            let _ = last_words.take(MAX_LAST_WORDS).read_to_end(&mut text);
        }
        why.unwrap_or_else(|| ended(status, &String::from_utf8_lossy(&text), &self.limits))
    }
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
fn wait(mut child: Child) -> Option<ExitStatus> {
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
    let _ = waiting.spawn(move || drop(child.wait()));
    None
}

impl<A> Drop for Worker<A> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = wait(child);
        }
    }
}
