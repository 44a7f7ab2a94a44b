//! Workers that go wrong, each in its own way: what that costs, and how it is said. The test binary becomes
//! the worker.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::Command;
use std::time::{Duration, Instant};

use lastgasp_diagnosis::facts::{BlockedGoroutines, GraphFacts};
use serde::{Deserialize, Serialize};

use crate::confine::Reach;
use crate::graph::GraphAnswer;
use crate::limits::Limits;
use crate::message::{Cost, Said};
use crate::process::{End, Heard, Worker};
use crate::serve::{Line, serve};

#[derive(Debug, Serialize, Deserialize)]
enum Try {
    /// Reads what it was handed, in two threads.
    Read,
    Wait,
    Allocate,
    Spin,
    Sleep,
    Panic,
    Exit,
    Open,
    Connect,
    Start,
    Trace(i32),
    Signal(i32),
    /// Reads that process's memory by its number; the other is whom it may.
    ReadProcess(i32, i32, usize),
    /// Says that.
    Say(String),
    Execute,
}

static SECRET: [u8; 16] = *b"lastgasp reads..";

/// What the test binary does as a worker; as a test, nothing.
#[test]
fn as_a_worker() {
    if std::env::args().any(|a| a == "--include-ignored") {
        let reach = |task: &Try| match task {
            Try::ReadProcess(_, allowed, _) => Reach::Process(*allowed),
            _ => Reach::Descriptors,
        };
        serve(reach, go).unwrap();
        std::process::exit(0);
    }
}

fn go(task: Try, mut handed: Vec<File>, line: &Line) -> Said<String> {
    let text = match task {
        Try::Read => {
            let mut file = handed.pop().unwrap();
            let read = std::thread::spawn(move || {
                let mut text = String::new();
                file.read_to_string(&mut text).map(|_| text)
            });
            read.join().unwrap().unwrap()
        }
        Try::Wait => {
            assert!(line.wait_for_the_word());
            line.say(&Said::Part { answer: "half".to_owned() });
            "all".into()
        }
        Try::Allocate => {
            line.say(&Said::Part { answer: "half".to_owned() });
            let mut all = Vec::new();
            loop {
                all.push(vec![1u8; 1 << 20]);
                assert!(all.len() < 1 << 12);
            }
        }
        Try::Spin => loop {
            std::hint::spin_loop();
        },
        Try::Sleep => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
        Try::Panic => panic!("made to"),
        Try::Exit => std::process::exit(3),
        Try::Open => format!("{:?}", File::open("/etc/passwd")),
        Try::Connect => format!("{:?}", std::net::TcpStream::connect("127.0.0.1:1")),
        Try::Start => format!("{:?}", Command::new("/bin/true").spawn()),
        Try::Trace(pid) => format!("{:?}", nix::sys::ptrace::attach(nix::unistd::Pid::from_raw(pid))),
        Try::Signal(pid) => format!("{:?}", nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None)),
        Try::ReadProcess(pid, _, at) => {
            use std::io::IoSliceMut;
            let mut buf = [0; 16];
            let remote = [nix::sys::uio::RemoteIoVec { base: at, len: 16 }];
            let pid = nix::unistd::Pid::from_raw(pid);
            let n = nix::sys::uio::process_vm_readv(pid, &mut [IoSliceMut::new(&mut buf)], &remote);
            format!("{n:?}")
        }
        Try::Say(text) => {
            let mut line = line.file();
            let _ = line.write_all(text.as_bytes());
            std::thread::sleep(Duration::from_secs(5));
            String::new()
        }
        Try::Execute => format!("{:?}", nix::unistd::execv(c"/bin/true", &[c"/bin/true"]).map(|never| match never {})),
    };
    Said::Whole { answer: text, cost: Cost::so_far() }
}

fn limits() -> Limits {
    Limits { memory: 64 << 20, time: Duration::from_secs(10), processor: Duration::from_secs(5) }
}

fn start(task: &Try, handed: &[BorrowedFd<'_>], limits: Limits) -> Worker<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::as_a_worker", "--nocapture", "--include-ignored"]);
    let mut worker = Worker::start(command, task, handed, limits).unwrap();
    assert_eq!(hear(&mut worker), Heard::Said(Said::Ready), "{task:?}");
    worker
}

fn hear(worker: &mut Worker<String>) -> Heard<String> {
    worker.hear(Instant::now() + Duration::from_secs(30))
}

fn ended(task: &Try, limits: Limits) -> End {
    match hear(&mut start(task, &[], limits)) {
        Heard::Ended(end) => end,
        other => panic!("{task:?}: {other:?}"),
    }
}

#[test]
fn what_was_handed_is_read() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"handed").unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut worker = start(&Try::Read, &[file.as_fd()], limits());
    match hear(&mut worker) {
        Heard::Said(Said::Whole { answer, cost }) => {
            assert_eq!(answer, "handed");
            assert!(cost.peak_bytes > 0);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(hear(&mut worker), Heard::Ended(End::Ended(String::new())));
}

#[test]
fn it_waits_for_the_word_and_answers_in_parts() {
    let mut worker = start(&Try::Wait, &[], limits());
    assert_eq!(worker.hear(Instant::now() + Duration::from_millis(50)), Heard::Nothing);
    worker.begin().unwrap();
    assert_eq!(hear(&mut worker), Heard::Said(Said::Part { answer: "half".into() }));
    assert!(matches!(hear(&mut worker), Heard::Said(Said::Whole { answer, .. }) if answer == "all"));
}

/// Each budget ends by its name, soon, and what was known by then was heard.
#[test]
fn budgets_end_it_by_name() {
    let mut worker = start(&Try::Allocate, &[], limits());
    assert_eq!(hear(&mut worker), Heard::Said(Said::Part { answer: "half".into() }));
    assert_eq!(hear(&mut worker), Heard::Ended(End::Memory(64 << 20)));
    let short = Limits { time: Duration::from_millis(700), ..limits() };
    let began = Instant::now();
    assert_eq!(ended(&Try::Sleep, short), End::Time(short.time));
    assert!(began.elapsed() < Duration::from_secs(5));
    let short = Limits { processor: Duration::from_secs(1), ..limits() };
    assert_eq!(ended(&Try::Spin, short), End::Processor(short.processor));
    let said = [End::Memory(1 << 30), End::Time(Duration::from_secs(2)), End::Forbidden, End::Signal(9)];
    let want = ["memory budget of 1 GiB", "time budget of 2000 ms", "a system call that it must not make", "SIGKILL"];
    assert_eq!(said.map(|e| e.to_string()), want);
}

/// What it must not do ends it, and only it.
#[test]
fn what_it_must_not_do_ends_it() {
    let own = std::process::id() as i32;
    let forbidden = [
        Try::Open,
        Try::Connect,
        Try::Start,
        Try::Trace(own),
        Try::Signal(own),
        Try::ReadProcess(own, 1, 0),
        Try::Execute,
    ];
    for task in &forbidden {
        assert_eq!(ended(task, limits()), End::Forbidden, "{task:?}");
    }
}

/// The one process that it is to read, and no other.
#[test]
fn it_reads_the_process_that_it_is_to_read() {
    let own = std::process::id() as i32;
    match hear(&mut start(&Try::ReadProcess(own, own, SECRET.as_ptr() as usize), &[], limits())) {
        // Where nobody may read others' memory the call is answered all the same.
        Heard::Said(Said::Whole { answer, .. }) => assert!(answer == "Ok(16)" || answer == "Err(EPERM)", "{answer}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_an_end_and_a_kill_are_told_apart() {
    let mut worker = start(&Try::Panic, &[], limits());
    assert_eq!(hear(&mut worker), Heard::Said(Said::Refused { why: "it panicked: made to".into() }));
    assert_eq!(ended(&Try::Exit, limits()), End::Ended(String::new()));
    let mut worker = start(&Try::Sleep, &[], limits());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker.pid().unwrap() as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    assert_eq!(hear(&mut worker), Heard::Ended(End::Signal(9)));
    assert_eq!(hear(&mut worker), Heard::Ended(End::Dismissed), "it is asked in vain");
}

#[test]
fn what_it_says_is_not_believed() {
    for text in ["nonsense", "LGW\u{1}\0\0\0\u{7f}\0\0\0\0"] {
        assert!(matches!(ended(&Try::Say(text.into()), limits()), End::Nonsense(_)), "{text:?}");
    }
    let framed = |text: &str| String::from_utf8_lossy(&crate::frame::framed(text.as_bytes()).unwrap()).into_owned();
    for text in ["{}", "[1", r#"{"says":"whole"}"#] {
        let framed = framed(text);
        // A checksum that is no text is damaged on the way, which is as good.
        assert!(matches!(ended(&Try::Say(framed), limits()), End::Nonsense(_)), "{text:?}");
    }
}

/// Nobody is left behind by a worker that is not wanted any more.
#[test]
fn a_worker_that_is_dropped_is_gone() {
    let worker = start(&Try::Sleep, &[], limits());
    let pid = worker.pid().unwrap() as i32;
    drop(worker);
    assert_eq!(lastgasp_inferior::start_time(pid), None);
}

/// A live object that was seen nowhere must never be called garbage, and whom somebody may wake who was not
/// seen is not proved to be leaked.
#[test]
fn what_was_not_read_of_one_moment_has_no_garbage_and_no_proof() {
    let graph = GraphFacts {
        garbage_bytes: 7,
        garbage_objects: 1,
        of_one_moment: true,
        blocked: Some(BlockedGoroutines::default()),
        ..GraphFacts::default()
    };
    let mut answer = GraphAnswer { graph: Some(graph), ..GraphAnswer::default() };
    answer.not_of_one_moment("it ran on");
    let graph = answer.graph.unwrap();
    assert_eq!((graph.garbage_bytes, graph.garbage_objects, graph.of_one_moment), (0, 0, false));
    assert!(graph.gaps[0].ends_with("it ran on") && graph.blocked.unwrap().no_proof[0].ends_with("it ran on"));
}
