//! What stands around the watch, on a real daemon and real Go processes: its configuration and reload, its
//! pages, its log.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use watching::{forget, program};

mod watching;

fn lastgasp(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(args).env_remove("LASTGASP_LOG").output().unwrap()
}

/// A Go program that grows by nothing, under that name.
struct Service {
    child: Child,
    program: PathBuf,
}

impl Service {
    fn start(name: &str) -> Self {
        let program = program(name);
        let child = Command::new(&program).args(["-after", "10m"]).spawn().unwrap();
        Self { child, program }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        forget(&self.program);
    }
}

/// The daemon under a configuration file, its log read as JSON.
struct Daemon {
    child: Child,
    log: Receiver<Value>,
    address: String,
}

impl Daemon {
    fn start(config: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
            .args(["watch", "--config"])
            .arg(config)
            .env("LASTGASP_CACHE_DIR", "")
            .env_remove("LASTGASP_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in lines {
                let line = line.unwrap();
                println!("{line}");
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let mut daemon = Self { child, log, address: String::new() };
        daemon.address = daemon.says("serving")["address"].as_str().unwrap().to_owned();
        daemon
    }

    /// Waits for an event of the log.
    fn says(&self, event: &str) -> Value {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            match self.log.recv_timeout(Duration::from_secs(30)) {
                Ok(line) if line["event"] == event => return line,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        panic!("it does not say {event:?}");
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn status(&self) -> Value {
        let answer = self.get("/status");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Waits until `/metrics` has a line of that kind; gives its value.
    fn metric(&self, begin: &str) -> Option<f64> {
        let began = Instant::now();
        loop {
            let page = self.get("/metrics");
            if let Some(line) = page.lines().find(|l| l.starts_with(begin)) {
                return line.rsplit(' ').next()?.parse().ok();
            }
            if began.elapsed() > Duration::from_secs(15) {
                println!("{page}");
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("lastgasp.toml");
    let store = folder.join("store");
    fs::write(&file, format!("[store]\npath = {store:?}\n[http]\nlisten = \"127.0.0.1:0\"\n{text}")).unwrap();
    file
}

/// Pages, and a reload while it watches: the new configuration holds, a wrong one changes nothing.
#[test]
fn pages_and_reload() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _two) = (Service::start("daemon-one"), Service::start("daemon-two"));
    let log = "[log]\nformat = \"json\"\n";
    let file = config(
        folder.path(),
        &format!("{log}[include]\nservices = [\"daemon-*\"]\n[exclude]\nservices = [\"*-two\"]\n"),
    );
    let mut daemon = Daemon::start(&file);
    assert_eq!(daemon.metric("lastgasp_container_processes{service=\"daemon-one\""), Some(1.0));
    let goroutines = daemon.metric("lastgasp_go_goroutines{service=\"daemon-one\"").unwrap();
    assert!((2.0..100.0).contains(&goroutines), "{goroutines}");
    assert!(daemon.metric("lastgasp_agent_memory_bytes ").unwrap() > 1e6);
    let page = daemon.get("/metrics");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{page}");
    assert!(!page.contains("daemon-two"), "it is excluded");
    assert!(daemon.get("/healthz").contains("\r\n\r\nok\nwatching 1 Go processes, mode freeze\n"));
    assert!(daemon.get("/x").starts_with("HTTP/1.1 404 "));
    let status = daemon.status();
    assert_eq!((&status["schema"], &status["mode"]), (&"lastgasp.status/1".into(), &"freeze".into()));
    assert_eq!((&status["healthy"], &status["store"]["captures"]), (&true.into(), &0.into()));
    let targets = status["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 1, "{status:#}");
    assert_eq!((&targets[0]["service"], &targets[0]["danger"]), (&"daemon-one".into(), &"calm".into()));
    assert!(targets[0]["goroutines"].as_u64() > Some(1) && targets[0]["baselines"].as_u64() > Some(0), "{status:#}");
    assert!(targets[0]["usage_bytes"].as_u64() > Some(1 << 20), "{status:#}");

    config(folder.path(), &format!("{log}[watch]\nmode = \"freze\"\n"));
    daemon.signal(Signal::SIGHUP);
    daemon.says("reload-refused");
    assert_eq!(daemon.metric("lastgasp_reloads_total{result=\"failed\"}"), Some(1.0));
    assert_eq!(daemon.metric("lastgasp_container_processes{service=\"daemon-one\""), Some(1.0));

    config(folder.path(), &format!("{log}[watch]\nmode = \"observe\"\n[include]\nservices = [\"daemon-two\"]\n"));
    daemon.signal(Signal::SIGHUP);
    daemon.says("reloaded");
    assert_eq!(daemon.metric("lastgasp_container_processes{service=\"daemon-two\""), Some(1.0));
    let began = Instant::now();
    while daemon.get("/metrics").contains("daemon-one") {
        assert!(began.elapsed() < Duration::from_secs(15), "it is not wanted any more");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(daemon.get("/healthz").contains("watching 1 Go processes, mode observe"));

    daemon.signal(Signal::SIGTERM);
    assert!(daemon.child.wait().unwrap().success());
    drop(one);
}

/// Two daemons with one address: the second watches all the same, and serves when the first has gone.
#[test]
fn an_address_that_is_taken_is_waited_for() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = "[log]\nformat = \"json\"\n[include]\nservices = [\"daemon-none\"]\n";
    let first = Daemon::start(&config(a.path(), log));
    let file = config(b.path(), log);
    let text = fs::read_to_string(&file).unwrap().replace("127.0.0.1:0", &first.address);
    fs::write(&file, text).unwrap();
    let freed = first.address.clone();
    let ends = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        drop(first);
    });
    let second = Daemon::start(&file);
    assert_eq!(second.address, freed);
    assert!(second.get("/healthz").contains("ok"));
    ends.join().unwrap();
}

#[test]
fn the_configuration_is_shown_with_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), "[watch]\nmode = \"brake\"\n");
    let path = file.to_str().unwrap();
    let out = lastgasp(&["config", "--config", path, "--max-bytes", "5G"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success());
    for line in [
        format!("watch.mode = \"brake\"    # {path}:6"),
        "store.max_bytes = \"5G\"    # --max-bytes".into(),
        "pin.hold = \"1800ms\"    # default".into(),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nnot in\n{text}");
    }
    let out = lastgasp(&["config", "--config", path, "--json"]);
    let shown: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(shown["schema"], "lastgasp.config/1");
    assert_eq!(shown["keys"]["watch.mode"]["value"], "brake");
}

#[test]
fn a_wrong_configuration_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), "[watch]\nmodus = \"brake\"\n");
    for command in ["watch", "config"] {
        let out = lastgasp(&[command, "--config", file.to_str().unwrap()]);
        let text = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{text}");
        assert!(text.contains("line 6") && text.contains("modus") && text.contains("mode"), "{text}");
    }
    let out = lastgasp(&["watch", "--config", "/no/such/file"]);
    assert_eq!(out.status.code(), Some(2));
    let out = lastgasp(&["watch", "--store", "/proc/no/such"]);
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && text.contains("--store or store.path"), "{text}");
}
