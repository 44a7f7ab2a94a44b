//! One of the programs, running with its data in a folder of its own, and load on it: a few clients that each
//! do one small thing after another.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::plans;
use crate::program::Program;
use crate::web::Web;

/// Rest between two requests of a client: load that leaves the machine room to look.
const REST: Duration = Duration::from_millis(4);
/// Rest after which load is no load any more.
const MOST_REST: Duration = Duration::from_millis(32);
/// GOGC for all of them: with heaps this small and the usual 100 a GC cycle would end every tenth of a
/// second, and what the program says before and after a look would hardly ever be the same.
const GOGC: &str = "400";
/// One sample per 16 KiB instead of 512: thousands of sites to compare instead of tens, and un-sampling that
/// matters.
const GODEBUG: &str = "memprofilerate=16384";

/// A program that runs under load; ended when dropped.
#[derive(Debug)]
pub struct Playing {
    child: Child,
    dir: TempDir,
    web: Web,
    /// Where `/debug/pprof/` stands.
    pprof: String,
    /// Prometheus text with `go_memstats_*`, if it has that.
    metrics: Option<String>,
    /// `expvar` with `memstats`, if it has that.
    vars: Option<String>,
    ended: Arc<AtomicBool>,
    rest_ms: Arc<AtomicU64>,
    resting: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Playing {
    /// Starts it and puts load on it.
    ///
    /// # Errors
    /// It did not start; its own words stand in the error.
    pub fn start(program: &Program, binary: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("lastgasp-real-").tempdir()?;
        let plan = plans::plan(program.name, dir.path())?;
        let log = dir.path().join("log");
        let mut child = Command::new(binary)
            .args(&plan.args)
            .current_dir(dir.path())
            // What they would write elsewhere.
            .env("HOME", dir.path())
            .env("XDG_DATA_HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path())
            .env("GOGC", GOGC)
            .env("GODEBUG", GODEBUG)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::options().append(true).open(&log)?)
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let web = Web::new();
        if let Err(e) = wait(&web, &mut child, &plan.ready) {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{}: {e:#}\n{}", program.name, fs::read_to_string(&log).unwrap_or_default());
        }
        let mut playing = Self {
            child,
            dir,
            web,
            pprof: plan.pprof,
            metrics: plan.metrics,
            vars: plan.vars,
            ended: Arc::default(),
            rest_ms: Arc::new(AtomicU64::new(REST.as_millis() as u64)),
            resting: Arc::default(),
            done: Arc::default(),
            failed: Arc::default(),
            clients: Vec::new(),
        };
        for deed in (plan.clients)()? {
            playing.employ(deed);
        }
        Ok(playing)
    }

    fn employ(&mut self, mut deed: plans::Deed) {
        let (ended, rest) = (Arc::clone(&self.ended), Arc::clone(&self.rest_ms));
        let (done, failed) = (Arc::clone(&self.done), Arc::clone(&self.failed));
        let resting = Arc::clone(&self.resting);
        self.clients.push(std::thread::spawn(move || {
            let mut i = 0;
            while !ended.load(Ordering::Relaxed) {
                if resting.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
                let counter = if deed(i).is_ok() { &done } else { &failed };
                counter.fetch_add(1, Ordering::Relaxed);
                i += 1;
                std::thread::sleep(Duration::from_millis(rest.load(Ordering::Relaxed)));
            }
        }));
    }

    /// Halves the load, down to a tenth or so: for those that collect so often that nothing can be compared.
    pub fn ease(&self) {
        let rest = self.rest_ms.load(Ordering::Relaxed);
        self.rest_ms.store((rest * 2).min(MOST_REST.as_millis() as u64), Ordering::Relaxed);
    }

    /// From now on clients do nothing; their connections stay.
    pub fn rest(&self) {
        self.resting.store(true, Ordering::Relaxed);
    }

    /// Has it collect: when this returns, a collection has begun and ended since (`runtime.GC`).
    ///
    /// # Errors
    /// HTTP's.
    pub fn collect(&self) -> Result<()> {
        self.web.get(&format!("{}/heap?gc=1", self.pprof)).map(drop)
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its folder: captures may go there.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Requests answered and failed so far.
    #[must_use]
    pub fn requests(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// `/debug/pprof/heap`.
    ///
    /// # Errors
    /// HTTP's.
    pub fn heap(&self) -> Result<Vec<u8>> {
        self.web.get(&format!("{}/heap", self.pprof))
    }

    /// `/debug/pprof/goroutine?debug=2`.
    ///
    /// # Errors
    /// HTTP's.
    pub fn goroutines(&self) -> Result<String> {
        let text = self.web.get(&format!("{}/goroutine?debug=2", self.pprof))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// What it says of its memory: Prometheus text, or expvar's JSON.
    ///
    /// # Errors
    /// HTTP's.
    pub fn numbers(&self) -> Result<super::numbers::Numbers> {
        match (&self.metrics, &self.vars) {
            (Some(url), _) => super::numbers::from_metrics(&String::from_utf8_lossy(&self.web.get(url)?)),
            (None, Some(url)) => super::numbers::from_expvar(&self.web.get(url)?),
            (None, None) => bail!("it has neither /metrics nor /debug/vars"),
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
        for c in self.clients.drain(..) {
            let _ = c.join();
        }
    }
}

/// Waits until it answers.
pub(crate) fn wait(web: &Web, child: &mut Child, url: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            bail!("it ended: {status}");
        }
        match web.get(url) {
            Ok(_) => return Ok(()),
            Err(e) if began.elapsed() > Duration::from_secs(60) => return Err(e.context("it does not answer")),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
