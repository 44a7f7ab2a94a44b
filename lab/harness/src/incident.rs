//! The incident of the notes, played with real processes: the service under lastgasp, the load from outside,
//! the config that is published after a calm time. Numbers stand in `lab/programs/incident/expect.toml`.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tempfile::TempDir;

use crate::build::{Mode, incident_programs, repo_root};
use crate::toolchain::Toolchain;

/// `expect.toml`, as far as the orchestration uses it.
#[derive(Clone, Debug, Deserialize)]
pub struct Expect {
    /// Who did it.
    pub culprit: Culprit,
    /// Requests.
    pub load: Load,
    /// The two configs.
    pub config: Config,
    /// The limit.
    pub memory: Memory,
    /// When it dies.
    pub time: Time,
}

/// Who did it.
#[derive(Clone, Debug, Deserialize)]
pub struct Culprit {
    /// As pprof names it.
    pub function: String,
    /// Who calls it.
    pub caller: String,
    /// End of the file's path.
    pub file: String,
    /// The statement that allocates, as it stands in the file.
    pub alloc_statement: String,
}

/// Requests.
#[derive(Clone, Debug, Deserialize)]
pub struct Load {
    /// Per second, whatever the answers.
    pub rate_per_second: u32,
    /// When the caller gives up.
    pub request_timeout_seconds: u32,
    /// Path and query.
    pub path: String,
}

/// The two configs.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Ids of the first.
    pub ids_calm: u64,
    /// Ids of the one that kills.
    pub ids_burst: u64,
}

/// The limit.
#[derive(Clone, Debug, Deserialize)]
pub struct Memory {
    /// Of the service's cgroup.
    pub limit_bytes: u64,
}

/// When it dies.
#[derive(Clone, Debug, Deserialize)]
pub struct Time {
    /// Least calm, seconds.
    pub calm_seconds_min: u64,
    /// From publish to kill.
    pub death_seconds_min: f64,
    /// From publish to kill.
    pub death_seconds_max: f64,
    /// How long `-fixed` must live on.
    pub fixed_watch_seconds: u64,
}

impl Culprit {
    /// Line of the statement that allocates, from the source.
    ///
    /// # Errors
    /// The source is not there or does not hold it.
    pub fn line(&self) -> Result<u32> {
        let text = fs::read_to_string(repo_root().join("lab/programs/incident").join(&self.file))?;
        let at = text.lines().position(|l| l.contains(&self.alloc_statement)).context("the culprit's line")?;
        Ok(at as u32 + 1)
    }
}

impl Expect {
    /// Reads it.
    ///
    /// # Errors
    /// A missing or malformed file.
    pub fn load() -> Result<Self> {
        let file = repo_root().join("lab/programs/incident/expect.toml");
        toml::from_str(&fs::read_to_string(&file)?).with_context(|| file.display().to_string())
    }
}

/// The three programs, built.
#[derive(Clone, Debug)]
pub struct Programs {
    service: PathBuf,
    admin: PathBuf,
    loadgen: PathBuf,
}

impl Programs {
    /// Builds them.
    ///
    /// # Errors
    /// What the compiler said.
    pub fn build(toolchain: &Toolchain, mode: Mode) -> Result<Self> {
        let [service, admin, loadgen] = incident_programs(toolchain, mode)?;
        Ok(Self { service, admin, loadgen })
    }

    /// The service.
    pub(crate) fn service(&self) -> &Path {
        &self.service
    }

    /// Who asks it.
    pub(crate) fn loadgen(&self) -> &Path {
        &self.loadgen
    }
}

/// How one play is to go.
#[derive(Clone, Debug)]
pub struct Script {
    /// The `lastgasp` binary.
    pub lastgasp: PathBuf,
    /// More arguments for `lastgasp run`.
    pub run_args: Vec<String>,
    /// More arguments for the service.
    pub service_args: Vec<String>,
    /// Calm before the big config.
    pub calm: Duration,
    /// Longest time after it.
    pub after: Duration,
    /// Where captures go.
    pub store: PathBuf,
    /// Where a capture of a service that survives goes, with the graph of its heap; `None`: none is taken.
    pub survivors: Option<PathBuf>,
}

/// How it went.
#[derive(Debug)]
pub struct Played {
    /// Process number of lastgasp.
    pub pid: u32,
    /// Exit code of lastgasp; `None` if the service survived and was ended by us.
    pub code: Option<i32>,
    /// Standard output of lastgasp.
    pub stdout: String,
    /// Standard error of lastgasp.
    pub stderr: String,
    /// From the publish to the end of the service.
    pub lived: Duration,
    /// The service's own truth, as it stood at the end.
    pub truth: Truth,
    /// Processor time of lastgasp during the calm, as a share of one core.
    pub calm_cpu: f64,
    /// Peak RSS of lastgasp in bytes.
    pub peak_rss: u64,
    /// Of a service that survived: the folder of a capture with its heap's graph, taken before it was ended.
    pub survivor: Option<PathBuf>,
}

impl Played {
    /// The captures that were written, by name.
    #[must_use]
    pub fn captures(&self, store: &Path) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = fs::read_dir(store)
            .map(|d| d.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.join("manifest.json").exists()).collect())
            .unwrap_or_default();
        found.sort();
        found
    }
}

/// The service's own numbers: little-endian u64 at the offsets that `resource-service/truth.go` documents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Truth {
    /// When they were last refreshed, nanoseconds since 1970.
    pub updated_ns: u64,
    /// Bytes of heap objects now.
    pub heap_objects: u64,
    /// Bytes of heap objects just before the big config.
    pub heap_before: u64,
    /// Finished maps of the big size that are alive.
    pub full_maps: u64,
    /// Maps being built.
    pub building: u64,
    /// Bytes that a finished map keeps.
    pub map_live: u64,
    /// Bytes that building one allocates.
    pub map_alloc: u64,
}

impl Truth {
    fn read(file: &Path) -> Self {
        let bytes = fs::read(file).unwrap_or_default();
        let word = |at: usize| bytes.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes);
        Self {
            updated_ns: word(24),
            map_live: word(48),
            map_alloc: word(56),
            heap_objects: word(64),
            heap_before: word(72),
            full_maps: word(120),
            building: word(128),
        }
    }
}

/// Ends a child when dropped.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What has just come about in a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The service answers; the calm begins.
    Serving,
    /// The calm is over: who is told may hold the big config back as long as others die.
    Ready,
    /// The big config is there.
    Published,
    /// The service has ended, or its time is over.
    Ended,
}

/// Plays the incident once.
///
/// # Errors
/// If it could not be staged; how it ends is told in [`Played`].
pub fn play(programs: &Programs, expect: &Expect, script: &Script) -> Result<Played> {
    play_telling(programs, expect, script, &|_| {})
}

/// As [`play`], saying how far it is.
///
/// # Errors
/// As [`play`].
pub fn play_telling(programs: &Programs, expect: &Expect, script: &Script, tell: &dyn Fn(Moment)) -> Result<Played> {
    let dir = stage()?;
    let at = |name: &str| dir.path().join(name);
    // From memory, not from disk: pages of the program that are charged to the cgroup would be evicted and
    // read again and again at the limit, and the kernel would not kill for many seconds (seen on 6.18;
    // lab/programs/incident/README.md).
    fs::copy(&programs.service, at("resource-service")).context("copying the service")?;
    publish(programs, &at("config.json"), expect.config.ids_calm)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");

    let mut run = Command::new(&script.lastgasp);
    run.arg("run")
        .args(["--memory-max", &expect.memory.limit_bytes.to_string(), "--store"])
        .arg(&script.store)
        .args(&script.run_args)
        .arg("--");
    run.arg(at("resource-service"))
        .args(["-listen", &address, "-config"])
        .arg(at("config.json"))
        .arg("-truth")
        .arg(at("truth"));
    run.args(&script.service_args);
    let (out, err) = (at("stdout"), at("stderr"));
    run.stdin(Stdio::null()).stdout(fs::File::create(&out)?).stderr(fs::File::create(&err)?);
    let mut lastgasp = Ended(run.spawn().with_context(|| script.lastgasp.display().to_string())?);
    let pid = lastgasp.0.id();
    wait_for(&address, &mut lastgasp.0, &err)?;
    tell(Moment::Serving);

    // More than it takes, however long the big config is held back: it is ended with us.
    let seconds = (script.calm + script.after).as_secs() + 600;
    let url = format!("http://{address}{}", expect.load.path);
    let mut load = Command::new(&programs.loadgen);
    load.args([
        "-url",
        &url,
        "-rate",
        &expect.load.rate_per_second.to_string(),
        "-timeout",
        &format!("{}s", expect.load.request_timeout_seconds),
        "-duration",
        &format!("{seconds}s"),
    ]);
    let _load = Ended(load.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);

    let (cpu_before, calm_began) = (cpu_seconds(pid), Instant::now());
    while calm_began.elapsed() < script.calm {
        std::thread::sleep(Duration::from_millis(50));
        if let Some(status) = lastgasp.0.try_wait()? {
            bail!("the service did not live through the calm: {status}\n{}", fs::read_to_string(&err)?);
        }
    }
    let calm_cpu = (cpu_seconds(pid) - cpu_before) / calm_began.elapsed().as_secs_f64();
    tell(Moment::Ready);
    if let Some(status) = lastgasp.0.try_wait()? {
        bail!("the service did not live through the calm: {status}\n{}", fs::read_to_string(&err)?);
    }
    let (published, published_ns) = (Instant::now(), unix_ns());
    publish(programs, &at("config.json"), expect.config.ids_burst)?;
    tell(Moment::Published);
    let (mut code, mut lived, mut peak_rss) = (None, script.after, 0);
    let deadline = published + script.after;
    while Instant::now() < deadline {
        peak_rss = peak_rss.max(peak_rss_of(pid));
        if let Some(status) = lastgasp.0.try_wait()? {
            code = status.code();
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    tell(Moment::Ended);
    let truth = Truth::read(&at("truth"));
    let mut survivor = None;
    if code.is_some() {
        // Its last refresh is the last sign of life: lastgasp itself needs a moment more.
        lived = Duration::from_nanos(truth.updated_ns.saturating_sub(published_ns));
    } else {
        survivor = script.survivors.as_ref().map(|folder| look_at(&script.lastgasp, pid, folder)).transpose()?;
        end_service(pid);
        let _ = lastgasp.0.wait();
    }
    let (stdout, stderr) = (fs::read_to_string(&out)?, fs::read_to_string(&err)?);
    Ok(Played { pid, code, stdout, stderr, lived, truth, calm_cpu, peak_rss, survivor })
}

/// A folder in memory if there is one.
pub(crate) fn stage() -> Result<TempDir> {
    let builder = || tempfile::Builder::new().prefix("lastgasp-lab-").to_owned();
    let shm = Path::new("/dev/shm");
    if shm.is_dir()
        && let Ok(dir) = builder().tempdir_in(shm)
    {
        return Ok(dir);
    }
    Ok(builder().tempdir()?)
}

pub(crate) fn publish(programs: &Programs, config: &Path, ids: u64) -> Result<()> {
    let status = Command::new(&programs.admin)
        .args(["publish", "-config"])
        .arg(config)
        .args(["-ids", &ids.to_string()])
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("admin publish: {status}");
    }
    Ok(())
}

pub(crate) fn wait_for(address: &str, lastgasp: &mut Child, err: &Path) -> Result<()> {
    for _ in 0..600 {
        if std::net::TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        if let Some(status) = lastgasp.try_wait()? {
            bail!("the service did not start: {status}\n{}", fs::read_to_string(err)?);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the service does not listen on {address}")
}

fn unix_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_rss_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
        * 1024
}

/// Asks the service (a child of lastgasp) to end, so that lastgasp ends as it does in life.
fn end_service(lastgasp: u32) {
    if let Some(service) = service_of(lastgasp) {
        let _ = Command::new("kill").args(["-TERM", &service]).status();
    }
}

/// Number of the service: a child of lastgasp.
fn service_of(lastgasp: u32) -> Option<String> {
    let children = fs::read_to_string(format!("/proc/{lastgasp}/task/{lastgasp}/children")).unwrap_or_default();
    let is_service =
        |child: &&str| fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|c| c.starts_with("resource-serv"));
    children.split_whitespace().find(is_service).map(str::to_owned)
}

/// A capture of the living service with the graph of its heap.
fn look_at(lastgasp: &Path, pid: u32, folder: &Path) -> Result<PathBuf> {
    let service = service_of(pid).context("no service to be looked at")?;
    // It may stand still for as long as a busy machine wants.
    let mut command = Command::new(lastgasp);
    command.args(["capture", &service, "--heap", "--max-stop", "10s", "--out"]).arg(folder);
    let out = command.output().context("lastgasp capture")?;
    let said = String::from_utf8_lossy(&out.stdout);
    match said.lines().last() {
        Some(capture) if !capture.trim().is_empty() => Ok(PathBuf::from(capture.trim())),
        _ => bail!("lastgasp capture --heap: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr)),
    }
}

/// What `lastgasp report --format json` says of a capture.
///
/// # Errors
/// It says no JSON.
pub fn document(lastgasp: &Path, capture: &Path) -> Result<serde_json::Value> {
    let out = Command::new(lastgasp).args(["report", "--format", "json"]).arg(capture).output()?;
    serde_json::from_slice(&out.stdout)
        .with_context(|| format!("{}: {}", capture.display(), String::from_utf8_lossy(&out.stderr)))
}
