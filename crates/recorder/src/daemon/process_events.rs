//! New processes, as they start: by the kernel's process events where they are to be had, by looking for new
//! numbers where not, and by a look at all of them now and then in either case.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::files::{read_text, release, version};
use lastgasp_observe::kernel::sys::process_events_socket;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send, setsockopt, sockopt};

/// Without events: how often the kernel is asked for its newest process number, which costs three
/// microseconds.
const ASK: Duration = Duration::from_millis(20);
/// With events: as often as a precaution.
const ASK_WITH_EVENTS: Duration = Duration::from_secs(1);
/// How often all processes are looked at, whatever was heard: a Go library may be loaded long after the
/// start.
const ALL: Duration = Duration::from_secs(30);
/// A process this young may still become another program (a shell, or a container's first process, that execs
/// the service).
const YOUNG: Duration = Duration::from_secs(10);
/// More new numbers than this at once, and all processes are looked at instead.
const MAX_NEW: i32 = 512;

/// Where the news come from.
#[derive(Debug)]
pub(crate) struct ProcessEvents {
    events: Option<OwnedFd>,
    loadavg: Option<File>,
    newest: Option<i32>,
    /// Whom the kernel told of since it was last asked for the newest.
    heard: BTreeSet<i32>,
    /// New numbers where there are no events, with when they are looked at next and when they were first
    /// seen.
    young: BTreeMap<i32, (Instant, Instant)>,
    asked: Instant,
    all_at: Instant,
}

/// Processes to be looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// These.
    pub(crate) pids: Vec<i32>,
    /// When those of them that the kernel told of became what they are: nanoseconds on the monotonic clock.
    pub(crate) execs: Vec<(i32, u64)>,
    /// All.
    pub(crate) all: bool,
    /// Others may have started, too, and have numbers that were known: there are no events, or some were
    /// lost.
    pub(crate) lost: bool,
}

impl ProcessEvents {
    /// Listens; gives why there are no events, if so.
    pub(crate) fn listen() -> (Self, Option<io::Error>) {
        let (events, trouble) = match subscribe() {
            Ok(socket) => (Some(socket), None),
            Err(e) => (None, Some(e)),
        };
        let now = Instant::now();
        let loadavg = File::open("/proc/loadavg").ok();
        let newest = loadavg.as_ref().and_then(newest_pid);
        let (heard, young) = (BTreeSet::new(), BTreeMap::new());
        (Self { events, loadavg, newest, heard, young, asked: now, all_at: now }, trouble)
    }

    /// Whether the kernel tells of them.
    pub(crate) fn has_events(&self) -> bool {
        self.events.is_some()
    }

    /// Readable when there are news.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(|e| e.as_fd())
    }

    /// When to come back at the latest.
    pub(crate) fn due(&self) -> Instant {
        let ask = self.asked + if self.has_events() { ASK_WITH_EVENTS } else { ASK };
        self.young.values().map(|(at, _)| *at).chain([ask, self.all_at]).min().unwrap_or(ask)
    }

    /// What has started since.
    pub(crate) fn news(&mut self) -> News {
        let mut news = News { lost: !self.has_events(), ..News::default() };
        if let Some(socket) = &self.events {
            news.lost = drain(socket, &mut news.execs);
            news.all = news.lost;
            news.pids.extend(news.execs.iter().map(|(pid, _)| *pid));
            self.heard.extend(&news.pids);
        }
        let now = Instant::now();
        if now >= self.asked + if self.has_events() { ASK_WITH_EVENTS } else { ASK } {
            self.asked = now;
            match self.ask() {
                // Who execs is told of: these are threads, forks that stay what their parents are, and what
                // was missed, if ever. One look is enough.
                Some(numbers) if self.has_events() => news.pids.extend(numbers),
                Some(numbers) => self.young.extend(numbers.into_iter().map(|pid| (pid, (now, now)))),
                None => news.all = true,
            }
        }
        if now >= self.all_at {
            news.all = true;
        }
        if news.all {
            self.all_at = now + ALL;
        }
        for (pid, (at, since)) in &mut self.young {
            if *at <= now {
                news.pids.push(*pid);
                // Ever more rarely: after 0, 20, 40, 80 ... milliseconds.
                *at = now + now.duration_since(*since).max(ASK);
            }
        }
        self.young.retain(|_, (_, since)| now.duration_since(*since) < YOUNG);
        news.pids.sort_unstable();
        news.pids.dedup();
        news
    }

    /// That number is a thread's, or of one that is gone: not to be looked at again.
    pub(crate) fn no_process(&mut self, pid: i32) {
        self.young.remove(&pid);
    }

    /// Asks for the newest process number: between that and the last one are new ones, without those that
    /// were heard of. `None`: there are too many of them.
    fn ask(&mut self) -> Option<Vec<i32>> {
        let heard = std::mem::take(&mut self.heard);
        let Some(newest) = self.loadavg.as_ref().and_then(newest_pid) else { return Some(Vec::new()) };
        let last = self.newest.replace(newest)?;
        let few = (0..=MAX_NEW).contains(&(newest - last));
        few.then(|| (last + 1..=newest).filter(|pid| !heard.contains(pid)).collect())
    }
}

/// The newest process number of our namespace: the last field of `/proc/loadavg`.
fn newest_pid(file: &File) -> Option<i32> {
    read_text::<128>(file)?.split_whitespace().next_back()?.parse().ok()
}

fn subscribe() -> io::Result<OwnedFd> {
    let socket = process_events_socket()?;
    // A burst of starts must not be lost; the kernel doubles it.
    let _ = setsockopt(&socket, sockopt::RcvBuf, &(1 << 20));
    send(socket.as_raw_fd(), &subscription(understands_filters(&release())), MsgFlags::empty())?;
    Ok(socket)
}

/// Since Linux 6.6 the kernel can be asked for exec events alone.
fn understands_filters(release: &str) -> bool {
    version(release) >= (6, 6)
}

const NLMSG_DONE: u16 = 3;
const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
const PROC_EVENT_EXEC: u32 = 2;

/// `nlmsghdr`, `cn_msg` and the wish (`linux/netlink.h`, `linux/connector.h`, `linux/cn_proc.h`).
fn subscription(filtered: bool) -> Vec<u8> {
    let mut wish = PROC_CN_MCAST_LISTEN.to_ne_bytes().to_vec();
    if filtered {
        wish.extend(PROC_EVENT_EXEC.to_ne_bytes());
    }
    let length = 16 + 20 + wish.len();
    let mut message = (length as u32).to_ne_bytes().to_vec();
    message.extend(NLMSG_DONE.to_ne_bytes());
    message.extend(0u16.to_ne_bytes());
    message.extend(0u32.to_ne_bytes());
    message.extend(std::process::id().to_ne_bytes());
    for word in [CN_IDX_PROC, CN_VAL_PROC, 0, 0] {
        message.extend(word.to_ne_bytes());
    }
    message.extend((wish.len() as u16).to_ne_bytes());
    message.extend(0u16.to_ne_bytes());
    message.extend(wish);
    message
}

/// The process that has become another program, and when (nanoseconds on the monotonic clock), of one
/// message.
pub(crate) fn exec_of(message: &[u8]) -> Option<(i32, u64)> {
    let word = |at: usize| Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?));
    if (word(16)?, word(20)?) != (CN_IDX_PROC, CN_VAL_PROC) || word(36)? != PROC_EVENT_EXEC {
        return None;
    }
    // Behind what, cpu and timestamp: the thread, and the process that it is of.
    let pid = i32::try_from(word(56)?).ok().filter(|pid| *pid > 0)?;
    Some((pid, u64::from_ne_bytes(message.get(44..52)?.try_into().ok()?)))
}

/// Reads all messages that are there; gives whether some were lost.
fn drain(socket: &OwnedFd, execs: &mut Vec<(i32, u64)>) -> bool {
    let mut lost = false;
    let mut buffer = [0; 1024];
    // Bounded: a machine that starts processes faster than we can read must not keep us here.
    for _ in 0..4096 {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(n) if n > 0 => execs.extend(buffer.get(..n).and_then(exec_of)),
            Err(Errno::ENOBUFS) => lost = true,
            Err(Errno::EINTR) => {}
            _ => break,
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wait_for(process_events: &mut ProcessEvents, pid: i32) -> Duration {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            if process_events.news().pids.contains(&pid) {
                return began.elapsed();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("process {pid} was not seen");
    }

    fn a_start_is_seen(mut process_events: ProcessEvents) {
        process_events.news();
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        wait_for(&mut process_events, child.id() as i32);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_start_is_heard_of() {
        let (process_events, trouble) = ProcessEvents::listen();
        match trouble {
            Some(e) => println!("SKIPPED: no process events: {e}"),
            None => a_start_is_seen(process_events),
        }
    }

    #[test]
    fn without_events_a_start_is_found() {
        let (mut process_events, _) = ProcessEvents::listen();
        process_events.events = None;
        a_start_is_seen(process_events);
    }

    /// New numbers are those of threads too: a server that starts a thread for each request must not cost us
    /// ten looks at each.
    #[test]
    fn what_is_no_process_is_given_once() {
        let (mut process_events, _) = ProcessEvents::listen();
        process_events.events = None;
        process_events.news();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = wait.recv();
        });
        let number = told.recv().unwrap();
        wait_for(&mut process_events, number);
        process_events.no_process(number);
        for _ in 0..100 {
            assert!(!process_events.news().pids.contains(&number));
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(done);
        thread.join().unwrap();
    }

    /// What an event told of is not told again by its number.
    #[test]
    fn who_was_heard_of_is_not_looked_for() {
        let (mut process_events, trouble) = ProcessEvents::listen();
        if let Some(e) = trouble {
            return println!("SKIPPED: no process events: {e}");
        }
        process_events.news();
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let pid = child.id() as i32;
        wait_for(&mut process_events, pid);
        let until = Instant::now() + ASK_WITH_EVENTS * 2;
        while Instant::now() < until {
            assert!(!process_events.news().pids.contains(&pid));
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn who_understands_filters() {
        assert!(understands_filters("6.18.44") && understands_filters("6.6.0-1-amd64") && understands_filters("7.0"));
        assert!(
            !understands_filters("6.1.0-13-cloud-amd64") && !understands_filters("5.15.0") && !understands_filters("")
        );
    }

    proptest! {
        #[test]
        fn no_message_is_feared(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = exec_of(&message);
        }
    }
}
