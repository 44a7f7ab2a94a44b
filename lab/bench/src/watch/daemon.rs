//! The daemon under test, with its log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::cache_dir;
use lastgasp_lab::page::{LOG_FORMAT, Log};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// A running `lastgasp watch`, with a store of its own that goes with it.
pub(super) struct Daemon {
    child: Child,
    log: Log,
    folder: TempDir,
}

/// One line of its log about a capture that was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Logged {
    pub(super) pid: i32,
    pub(super) phase: String,
    /// Milliseconds; see the head of this folder's `mod.rs`.
    pub(super) detect: f64,
    pub(super) answer: f64,
    pub(super) stopped: f64,
    pub(super) evidence: f64,
}

impl Daemon {
    /// Starts it for programs of that name, with `more` in its configuration (TOML), and waits until it
    /// watches.
    pub(super) fn start(lastgasp: &Path, service: &str, more: &str) -> Result<Self> {
        Self::start_by(Command::new(lastgasp), service, more)
    }

    /// The same, with a command that becomes lastgasp.
    pub(super) fn start_by(mut command: Command, service: &str, more: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("lastgasp-bench-").tempdir()?;
        let log = folder.path().join("log");
        let config = folder.path().join("lastgasp.toml");
        fs::write(&config, format!("{LOG_FORMAT}{more}"))?;
        let child = command
            .args(["watch", "--listen", "127.0.0.1:0", "--service", service, "--config"])
            .arg(config)
            .arg("--store")
            .arg(folder.path().join("store"))
            .env("LASTGASP_LOG", "info,lastgasp_recorder=debug")
            .env("LASTGASP_CACHE_DIR", "")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let mut daemon = Self { child, log: Log::new(&log), folder };
        let began = Instant::now();
        while !daemon.log.is_healthy() {
            if let Some(status) = daemon.child.try_wait()? {
                bail!("lastgasp watch: {status}\n{}", daemon.log());
            }
            if began.elapsed() > Duration::from_secs(20) {
                bail!("lastgasp watch does not begin\n{}", daemon.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub(super) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// What it has logged so far.
    pub(super) fn log(&self) -> String {
        self.log.text()
    }

    /// Where it serves its pages.
    pub(super) fn address(&self) -> Option<String> {
        Some(self.log.events("serving").last()?["address"].as_str()?.to_owned())
    }

    /// Whether it says that it is well.
    pub(super) fn is_healthy(&self) -> bool {
        self.log.is_healthy()
    }

    /// Whether it runs.
    pub(super) fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Its largest resident size so far, in bytes; without its workers.
    pub(super) fn resident_at_most(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line =
            status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
        line.unwrap_or(0) << 10
    }

    /// A counter of its status.
    pub(super) fn count(&self, name: &str) -> Option<u64> {
        self.log.status()?["counters"][name].as_u64()
    }

    /// How many processes it says it watches, or did.
    pub(super) fn watched(&self) -> usize {
        self.log.events("watched").len()
    }

    /// What it has logged about a process.
    pub(super) fn log_of(&self, pid: i32) -> Vec<String> {
        self.log.lines().iter().filter(|line| line["pid"] == pid).map(Value::to_string).collect()
    }

    /// All captures that it says it has written.
    pub(super) fn captured(&self) -> Vec<Logged> {
        self.log.events("captured").iter().filter_map(logged).collect()
    }

    /// Ends it as a service manager does, and waits until all is written; the store stays until it is
    /// dropped.
    pub(super) fn stop(&mut self) -> Result<()> {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM)?;
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() { Ok(()) } else { bail!("lastgasp watch: {status}\n{}", self.log()) };
            }
            if began.elapsed() > Duration::from_secs(120) {
                bail!("lastgasp watch does not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The last one's, for who looks into a miss.
        let _ = fs::copy(self.folder.path().join("log"), cache_dir().join("watch-last.log"));
    }
}

fn logged(line: &Value) -> Option<Logged> {
    let ms = |key: &str| line[key].as_f64();
    Some(Logged {
        pid: line["pid"].as_i64()?.try_into().ok()?,
        phase: line["phase"].as_str()?.to_owned(),
        detect: ms("detect_ms")?,
        answer: ms("answer_ms")?,
        stopped: ms("stopped_ms")?,
        evidence: ms("evidence_ms")?,
    })
}

/// A table of the times of those captures, one line for each kind.
pub(super) fn times(captured: &[Logged]) -> Result<String> {
    use std::fmt::Write as _;
    let mut out = String::new();
    let of = |phase: &str, what: &dyn Fn(&Logged) -> f64| -> Vec<f64> {
        captured.iter().filter(|c| c.phase == phase).map(what).collect()
    };
    let still: Vec<f64> = of("pre-kill", &|c| c.stopped).into_iter().filter(|ms| *ms > 0.0).collect();
    for (name, values) in [
        ("strike: detected (at most)", of("pre-kill", &|c| c.detect)),
        ("strike: answered", of("pre-kill", &|c| c.answer)),
        ("strike: target stopped", still),
        ("strike: evidence fsynced", of("pre-kill", &|c| c.evidence)),
        ("after the kill: answered", of("post-kill", &|c| c.answer)),
        ("after the kill: evidence fsynced", of("post-kill", &|c| c.evidence)),
    ] {
        writeln!(out, "  {name:<34} {}", super::figures::line(&values, "ms"))?;
    }
    Ok(out)
}

/// The folder that programs are copied to: in memory, since pages of the program that are charged to its
/// cgroup would be evicted and read again and again at the limit, and the kernel would not kill for many
/// seconds.
pub(super) fn stage() -> Result<TempDir> {
    let builder = || tempfile::Builder::new().prefix("lastgasp-bench-").to_owned();
    builder().tempdir_in("/dev/shm").or_else(|_| builder().tempdir()).context("a folder for programs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log() {
        let line = r#"{"timestamp":"2026-11-23T01:02:13Z","level":"INFO","message":"captured: main.growA (x.go:1) pid=9 allocated","pid":41,
            "service":"d","phase":"pre-kill","light":false,"detect_ms":5.25,"answer_ms":0.5,"stopped_ms":1.0,"evidence_ms":80.125,
            "capture":"/x","event":"captured","target":"lastgasp_agent::capture_writers"}"#;
        let c = logged(&serde_json::from_str(line).unwrap()).unwrap();
        assert_eq!((c.pid, c.phase.as_str()), (41, "pre-kill"));
        assert_eq!([c.detect, c.answer, c.stopped, c.evidence], [5.25, 0.5, 1.0, 80.125]);
        assert!(logged(&serde_json::json!({"pid": 41, "event": "captured"})).is_none());
    }
}
