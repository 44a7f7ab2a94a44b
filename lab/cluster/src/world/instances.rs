//! The instances of the service and their supervisor: a thread that starts them, sees them end, and starts
//! them anew, each in its group.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use std::os::unix::process::ExitStatusExt as _;

use super::groups::Group;
use super::process::{Start, end};
use super::web::Web;
use crate::record::{Life, now_ms};

/// An instance.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) data_centre: String,
    pub(super) port: u16,
    pub(super) group: Group,
    /// Folder of its executable, its log and its files, in memory.
    folder: PathBuf,
    /// The release that it starts next.
    version: String,
    executable: PathBuf,
    environment: BTreeMap<String, String>,
    /// Bugs that were triggered: a life that begins later has them too.
    triggered: Vec<String>,
    running: Option<Running>,
    /// Not before this time; `None`: at once.
    next_start: Option<Instant>,
    lives: Vec<Life>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    oom_kills: u64,
    /// Whether its triggers were pulled.
    is_ready: bool,
    /// Whether it is being ended by us.
    stopping: bool,
}

/// What all of them have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) arguments: Vec<String>,
    /// Folder for files on the disk; each instance has one below.
    pub(super) disk: PathBuf,
    pub(super) restart_after: Duration,
    pub(super) oom_score_adj: i32,
    pub(super) web: Web,
}

/// All instances under a supervisor; ended when dropped.
#[derive(Debug)]
pub(super) struct Instances {
    all: Arc<Vec<Mutex<Instance>>>,
    ended: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    names: Vec<(String, String)>,
}

fn lock(instance: &Mutex<Instance>) -> MutexGuard<'_, Instance> {
    instance.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instance {
    pub(super) fn new(name: &(String, String), port: u16, group: Group, stage: &Path) -> Result<Self> {
        let folder = stage.join("instances").join(&name.0);
        fs::create_dir_all(&folder)?;
        Ok(Self {
            name: name.0.clone(),
            data_centre: name.1.clone(),
            port,
            group,
            folder,
            version: String::new(),
            executable: PathBuf::new(),
            environment: BTreeMap::new(),
            triggered: Vec::new(),
            running: None,
            next_start: None,
            lives: Vec::new(),
        })
    }

    /// Lays an executable there, in the place of the one before, as a deployment does.
    pub(super) fn install(&mut self, version: &str, built: &Path) -> Result<()> {
        let name = built.file_name().context("a program")?;
        let new = self.folder.join("new");
        // From memory, and in files of nobody's group: see lab/programs/incident/README.md.
        fs::copy(built, &new).with_context(|| built.display().to_string())?;
        self.executable = self.folder.join(name);
        fs::rename(new, &self.executable)?;
        version.clone_into(&mut self.version);
        Ok(())
    }

    fn start(&mut self, common: &Common) -> Result<()> {
        self.next_start = None;
        let log = self.folder.join("log");
        let disk = common.disk.join(&self.name);
        fs::create_dir_all(&disk)?;
        let mut start = Start::new(&self.executable, &self.group, &log)
            .args(["-listen".to_owned(), format!("127.0.0.1:{}", self.port), "-scratch".to_owned()])
            .args([self.folder.display().to_string(), "-disk".to_owned(), disk.display().to_string()])
            .args(common.arguments.clone());
        start.environment.clone_from(&self.environment);
        start.oom_score_adj = Some(common.oom_score_adj);
        let oom_kills = self.group.oom_kills();
        let child = start.spawn()?;
        self.lives.push(Life {
            instance: self.name.clone(),
            data_centre: self.data_centre.clone(),
            version: self.version.clone(),
            pid: child.id(),
            started_unix_ms: now_ms(),
            ending: "alive".into(),
            ..Life::default()
        });
        self.running = Some(Running { child, oom_kills, is_ready: false, stopping: false });
        Ok(())
    }

    /// Sees to it: whether it has ended, whether it is to be started, whether its triggers are to be pulled.
    fn look(&mut self, common: &Common) {
        if let Some(running) = &mut self.running {
            if let Ok(Some(status)) = running.child.try_wait() {
                let killed = self.group.oom_kills() > running.oom_kills;
                let ending = match (running.stopping, status.signal()) {
                    (true, _) => "stopped",
                    (false, Some(9)) if killed => "oom",
                    (false, Some(_)) => "killed",
                    (false, None) => "exited",
                };
                if let Some(life) = self.lives.last_mut() {
                    life.ended_unix_ms = Some(now_ms());
                    ending.clone_into(&mut life.ending);
                    life.peak_bytes = self.group.peak();
                }
                let wait = if running.stopping { Duration::ZERO } else { common.restart_after };
                self.running = None;
                // Files that it left in memory are its own.
                for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
                    if entry.file_name().to_string_lossy().starts_with("spool-") {
                        let _ = fs::remove_file(entry.path());
                    }
                }
                self.next_start = Some(Instant::now() + wait);
            } else if !running.is_ready && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                running.is_ready = true;
                for bug in &self.triggered {
                    let _ = common.web.post(
                        &format!("http://127.0.0.1:{}/lab/trigger?bug={bug}", self.port),
                        "text/plain",
                        None,
                        "",
                    );
                }
            }
        } else if self.next_start.is_some_and(|at| at <= Instant::now()) && self.start(common).is_err() {
            self.next_start = Some(Instant::now() + Duration::from_secs(1));
        }
    }
}

impl Instances {
    /// Starts all, so long after one another.
    pub(super) fn start(instances: Vec<Instance>, common: Common, stagger: Duration) -> Self {
        let names = instances.iter().map(|i| (i.name.clone(), i.data_centre.clone())).collect();
        let now = Instant::now();
        let all: Vec<Mutex<Instance>> = (0_u32..)
            .zip(instances)
            .map(|(n, mut i)| {
                i.next_start = Some(now + stagger * n);
                Mutex::new(i)
            })
            .collect();
        let (all, ended) = (Arc::new(all), Arc::new(AtomicBool::new(false)));
        let (ours, over) = (Arc::clone(&all), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                ours.iter().for_each(|i| lock(i).look(&common));
                std::thread::sleep(Duration::from_millis(15));
            }
        });
        Self { all, ended, thread: Some(thread), names }
    }

    /// Names with data centres.
    pub(super) fn names(&self) -> &[(String, String)] {
        &self.names
    }

    /// Does something with one, by its place.
    pub(super) fn with<T>(&self, at: usize, act: impl FnOnce(&mut Instance) -> T) -> Option<T> {
        self.all.get(at).map(|i| act(&mut lock(i)))
    }

    /// Has one started anew; it is asked to end first.
    pub(super) fn restart(&self, at: usize) {
        self.with(at, |i| match &mut i.running {
            Some(running) => {
                running.stopping = true;
                let pid = nix::unistd::Pid::from_raw(running.child.id() as i32);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
            }
            None => i.next_start = Some(Instant::now()),
        });
    }

    /// Waits until the next life of one answers, or so long.
    pub(super) fn wait_for(&self, at: usize, longest: Duration) {
        let (deadline, lives) = (Instant::now() + longest, self.with(at, |i| i.lives.len()).unwrap_or(0));
        let is_back = |i: &mut Instance| i.lives.len() > lives && i.running.as_ref().is_some_and(|r| r.is_ready);
        while Instant::now() < deadline && !self.with(at, is_back).unwrap_or(true) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills one, for no reason of memory.
    pub(super) fn kill(&self, at: usize) {
        self.with(at, |i| i.running.as_mut().map(|r| r.child.kill()));
    }

    pub(super) fn set_environment(&self, at: usize, variables: &BTreeMap<String, String>) {
        self.with(at, |i| {
            for (name, value) in variables {
                if value.is_empty() {
                    i.environment.remove(name);
                } else {
                    i.environment.insert(name.clone(), value.clone());
                }
            }
        });
    }

    /// Pulls a trigger, now and in each life to come.
    pub(super) fn trigger(&self, at: usize, bug: &str, off: bool, web: &Web) -> Result<()> {
        let port = self.with(at, |i| {
            i.triggered.retain(|b| b != bug);
            if !off {
                i.triggered.push(bug.to_owned());
            }
            i.running.as_ref().filter(|r| r.is_ready).map(|_| i.port)
        });
        if let Some(Some(port)) = port {
            let off = if off { "&off=1" } else { "" };
            web.post(&format!("http://127.0.0.1:{port}/lab/trigger?bug={bug}{off}"), "text/plain", None, "")?;
        }
        Ok(())
    }

    /// Lives so far.
    pub(super) fn lives(&self) -> Vec<Life> {
        let mut lives: Vec<Life> = self.all.iter().flat_map(|i| lock(i).lives.clone()).collect();
        lives.sort_by_key(|l| l.started_unix_ms);
        lives
    }

    /// How many answer, and how many bytes each uses.
    pub(super) fn state(&self) -> (usize, Vec<u64>) {
        let mut ready = 0;
        let usage = self.all.iter().map(|i| {
            let i = lock(i);
            ready += usize::from(i.running.as_ref().is_some_and(|r| r.is_ready));
            i.group.usage()
        });
        let usage = usage.collect();
        (ready, usage)
    }
}

impl Drop for Instances {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for instance in self.all.iter() {
            if let Some(running) = &mut lock(instance).running {
                end(&mut running.child, Duration::from_secs(1));
            }
        }
    }
}
