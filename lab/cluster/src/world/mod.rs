//! A world: built, started, acted upon, and cleared away whatever happens.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::cache_dir;
use lastgasp_lab::progress::Progress;
use lastgasp_lab::toolchain;
use tempfile::TempDir;

mod announce;
mod groups;
mod instances;
mod janitor;
mod packages;
mod platform;
mod process;
mod recorder;
mod releases;
mod web;

pub use packages::{Packages, missing};

use crate::record::{Life, Told};
use crate::scenario::{Balancer, Caller, Pick, Scenario};
use groups::{Group, Tree};
use instances::{Common, Instance, Instances};
use platform::{Ports, Target};
use process::{Start, end, free_ports, wait_for};
use web::{Hook, Web};

/// Where configurations stand in etcd.
fn prefix(service: &str) -> String {
    format!("/config/{service}/")
}

/// A world that runs. Fields are dropped in their order: who asks first, who serves last, the janitor at the
/// very end.
#[derive(Debug)]
pub struct World {
    callers: BTreeMap<String, Running>,
    recorder: Option<Child>,
    instances: Instances,
    neighbours: Vec<Child>,
    balancer: Option<Child>,
    others: BTreeMap<&'static str, Child>,
    hook: Hook,
    web: Web,
    ports: Ports,
    tree: Tree,
    infrastructure: Group,
    programs: PathBuf,
    releases: BTreeMap<String, PathBuf>,
    packages: Packages,
    balancer_is: Balancer,
    service: String,
    /// Name of the service behind.
    behind: String,
    told: bool,
    /// Changes of which lastgasp could not be told, each with its reason.
    unheard: Vec<String>,
    token: String,
    stage: TempDir,
    _janitor: janitor::Janitor,
    kept: PathBuf,
}

/// A caller that runs, with its settings.
#[derive(Debug)]
struct Running {
    child: Child,
    port: u16,
    is: Caller,
    first_rate: f64,
}

/// How a world is made.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What is played.
    pub scenario: &'a Scenario,
    /// The `lastgasp` binary.
    pub lastgasp: &'a Path,
    /// Folder in which the store and logs are kept.
    pub kept: &'a Path,
    /// Who is told how far it is.
    pub progress: &'a Progress,
}

/// Longest that instances take until all of them answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// About the time over which rates are taken: the first ones are too low.
const RATES: Duration = Duration::from_secs(4);

impl World {
    /// Builds what is missing and starts all of it; returns when every instance answers and callers ask.
    ///
    /// # Errors
    /// What could not be installed, built or started; nothing is left then.
    pub fn start(wanted: &Wanted<'_>) -> Result<Self> {
        let Wanted { scenario, lastgasp, kept, progress } = wanted;
        let packages = Packages::ready(progress)?;
        progress.set("building", "the programs of the world");
        let toolchain = toolchain::any(&cache_dir()).context("a Go toolchain")?;
        let programs = releases::programs(&toolchain)?;
        let mut releases = BTreeMap::new();
        for version in scenario.versions() {
            progress.set("building", format!("{} {version}", scenario.service.name));
            releases.insert(version.clone(), releases::build(scenario, &version)?);
        }
        progress.done("building", &format!("built {} with {}", scenario.versions().join(" and "), toolchain.version));

        progress.set("starting", "groups");
        let stage = stage()?;
        let tree = Tree::create(&format!("lastgasp-world-{}", std::process::id()))?;
        let janitor = janitor::Janitor::start(&tree, stage.path())?;
        let infrastructure = tree.group("infrastructure", None)?;
        tree.inner("node", Some(scenario.node.memory.0))?;
        let ports = ports(scenario)?;
        let token = format!("lab-{}-{}", std::process::id(), crate::record::now_ms());
        let token_file = stage.path().join("token");
        fs::write(&token_file, &token)?;
        private(&token_file)?;
        // Where it is kept is emptied: what stands there is of another play.
        if kept.exists() {
            fs::remove_dir_all(kept).with_context(|| kept.display().to_string())?;
        }
        let store = kept.join("store");
        fs::create_dir_all(&store)?;

        let mut others = BTreeMap::new();
        progress.set("starting", "etcd");
        others.insert("etcd", platform::etcd(&packages, &ports, &infrastructure, stage.path())?);
        let hook = Hook::listen()?;
        let web = Web::new();
        progress.set("starting", "the admin platform and the service behind");
        let etcd = format!("http://127.0.0.1:{}", ports.etcd);
        let run = |name: &str, log: &str, port: u16, args: Vec<String>| -> Result<Child> {
            let log = stage.path().join(log);
            let mut child = Start::new(&programs.join(name), &infrastructure, &log).args(args).spawn()?;
            wait_for(name, port, &mut child, &log, PATIENCE)?;
            Ok(child)
        };
        let mut admin = vec!["-listen".to_owned(), format!("127.0.0.1:{}", ports.admin), "-etcd".into(), etcd.clone()];
        admin.extend([
            "-prefix".to_owned(),
            prefix(&scenario.service.name),
            "-service".into(),
            scenario.service.name.clone(),
        ]);
        if scenario.feeds.admin {
            admin.extend(["-webhook".to_owned(), format!("http://127.0.0.1:{}/v1/changes", ports.lastgasp)]);
            admin.extend(["-token-file".to_owned(), token_file.display().to_string()]);
        }
        others.insert("admin", run("admin", "admin.log", ports.admin, admin)?);
        let dependency = [
            "-listen".to_owned(),
            format!("127.0.0.1:{}", ports.dependency),
            "-silent".into(),
            format!("127.0.0.1:{}", ports.silent),
            "-name".into(),
            scenario.dependency.name.clone(),
            "-latency".into(),
            scenario.dependency.latency.go(),
        ];
        others.insert("dependency", run("dependency", "dependency.log", ports.dependency, dependency.to_vec())?);
        if scenario.dependency.failures > 0.0 {
            web.get(&format!(
                "http://127.0.0.1:{}/lab/set?failures={}",
                ports.dependency, scenario.dependency.failures
            ))?;
        }
        for (key, of) in &scenario.service.key {
            let form = format!("key={key}&count={}&quiet=1", of.count);
            web.post(&format!("http://127.0.0.1:{}/publish", ports.admin), FORM, None, &form)?;
        }

        // Both are there before the service is, as on any node: a leak from the start of a process is seen
        // from its start (seen: instances that had died in the warm-up, before anybody watched).
        progress.set("starting", "Prometheus");
        let targets = targets(scenario, &ports, &scenario.instances());
        let prometheus = platform::prometheus(&packages, &ports, &infrastructure, stage.path(), &targets)?;
        others.insert("prometheus", prometheus);
        progress.set("starting", "lastgasp watch");
        let places = recorder::Places {
            stage: stage.path(),
            store: &store,
            log: kept.join("lastgasp.log"),
            cgroups: format!("*/lastgasp-world-{}/node/*", std::process::id()),
            hook: hook.port,
            token_file: &token_file,
        };
        let recorder = recorder::start(lastgasp, scenario, &ports, &infrastructure, &places)?;
        progress.set("starting", "instances");
        let mut all = Vec::new();
        for (at, name) in scenario.instances().iter().enumerate() {
            let group = tree.group(&format!("node/{}", name.0), Some(scenario.service.limit.0))?;
            let port = ports.instances.get(at).copied().context("a port")?;
            let mut instance = Instance::new(name, port, group, stage.path())?;
            let built = releases.get(scenario.first_version()).context("a release")?;
            instance.install(scenario.first_version(), built)?;
            all.push(instance);
        }
        let service = &scenario.service;
        let mut arguments = vec![
            "-etcd".to_owned(),
            etcd,
            "-prefix".into(),
            prefix(&service.name),
            "-dependency".into(),
            format!("http://127.0.0.1:{}/playurl", ports.dependency),
            "-silent".into(),
            format!("127.0.0.1:{}", ports.silent),
        ];
        arguments.extend([
            "-base-mb".to_owned(),
            (service.base.0 >> 20).to_string(),
            "-request-kb".into(),
            (service.request.0 >> 10).to_string(),
            "-garbage-kb".into(),
            (service.garbage.0 >> 10).to_string(),
        ]);
        if service.concurrency > 0 {
            arguments.extend(["-concurrency".to_owned(), service.concurrency.to_string()]);
        }
        if service.stubborn {
            arguments.push("-stubborn".into());
        }
        // On the disk: page cache. Memory of its own is what it writes beside its log, in memory.
        let disk = kept.join("files");
        fs::create_dir_all(&disk)?;
        let common = Common {
            arguments,
            disk,
            restart_after: service.restart_after.duration(),
            oom_score_adj: service.oom_score_adj,
            web: web.clone(),
        };
        let instances = Instances::start(all, common, service.stagger.duration());
        for at in 0..service.instances {
            instances.set_environment(at, &service.environment);
        }
        let servers: Vec<(String, u16)> =
            instances.names().iter().map(|(n, _)| n.clone()).zip(ports.instances.iter().copied()).collect();
        progress.set("starting", "HAProxy");
        let balancer = platform::balancer(
            &packages,
            &ports,
            &infrastructure,
            stage.path(),
            (&service.name, &scenario.balancer, &servers),
            None,
        )?;
        let mut world = Self {
            callers: BTreeMap::new(),
            recorder: Some(recorder),
            instances,
            neighbours: Vec::new(),
            balancer: Some(balancer),
            others,
            hook,
            web,
            ports,
            tree,
            infrastructure,
            programs,
            releases,
            packages,
            balancer_is: scenario.balancer.clone(),
            service: service.name.clone(),
            behind: scenario.dependency.name.clone(),
            told: scenario.feeds.webhook,
            unheard: Vec::new(),
            token,
            stage,
            _janitor: janitor,
            kept: (*kept).to_owned(),
        };
        world.wait_until_all_answer(progress)?;
        progress.set("starting", "callers");
        for (at, (name, caller)) in scenario.caller.iter().enumerate() {
            world.start_caller(name, caller, at)?;
        }
        // A timeline begins with a world at rest.
        let warm_up = scenario.warm_up.duration();
        let rest = if warm_up.is_zero() { warm_up } else { warm_up + RATES };
        let began = Instant::now();
        while began.elapsed() < rest {
            progress.set("starting", format!("warming up for {} s", rest.as_secs()));
            std::thread::sleep(Duration::from_millis(100));
        }
        progress.done(
            "starting",
            &format!(
                "{} instances of {} answer, {} ask",
                service.instances,
                service.name,
                scenario.caller.keys().cloned().collect::<Vec<_>>().join(" and ")
            ),
        );
        Ok(world)
    }

    fn wait_until_all_answer(&self, progress: &Progress) -> Result<()> {
        let (deadline, all) = (Instant::now() + PATIENCE, self.instances.names().len());
        loop {
            let (ready, _) = self.instances.state();
            if ready == all {
                return Ok(());
            }
            progress.set("starting", format!("{ready} of {all} instances answer"));
            if Instant::now() > deadline {
                bail!("only {ready} of {all} instances answer after {} s", PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn start_caller(&mut self, name: &str, caller: &Caller, at: usize) -> Result<()> {
        let port = self.ports.callers.get(at).copied().context("a port")?;
        let log = self.stage.path().join(format!("{name}.log"));
        let mut child = Start::new(&self.programs.join("caller"), &self.infrastructure, &log)
            .args(["-listen".to_owned(), format!("127.0.0.1:{port}"), "-name".into(), name.to_owned()])
            .args([
                "-base".to_owned(),
                format!("http://127.0.0.1:{}", self.ports.balancer),
                "-set".into(),
                settings(caller),
            ])
            .spawn()?;
        wait_for(name, port, &mut child, &log, PATIENCE)?;
        self.callers.insert(name.to_owned(), Running { child, port, is: caller.clone(), first_rate: caller.rate });
        Ok(())
    }

    /// How many instances answer, and how much memory each uses.
    #[must_use]
    pub fn state(&self) -> (usize, Vec<u64>) {
        self.instances.state()
    }

    /// Lives of all instances so far.
    #[must_use]
    pub fn lives(&self) -> Vec<Life> {
        self.instances.lives()
    }

    /// What the daemon has sent.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.hook.told()
    }

    /// Changes of which lastgasp could not be told.
    #[must_use]
    pub fn unheard(&self) -> &[String] {
        &self.unheard
    }

    /// The folder of captures.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.kept.join("store")
    }

    /// Places of the instances that are meant.
    fn picked(&self, pick: &Pick) -> Vec<usize> {
        let fits = |word: &str, (name, centre): &(String, String)| word == "all" || word == name || word == centre;
        let is_meant = |at: usize, names: &(String, String)| match pick {
            Pick::All => true,
            Pick::Some(n) => at < *n,
            Pick::Named(word) => fits(word, names),
            Pick::Several(words) => words.iter().any(|w| fits(w, names)),
        };
        self.instances.names().iter().enumerate().filter(|(at, names)| is_meant(*at, names)).map(|(at, _)| at).collect()
    }

    /// Names of those at these places.
    fn names_of(&self, places: &[usize]) -> Vec<String> {
        places.iter().filter_map(|at| self.instances.names().get(*at)).map(|(n, _)| n.clone()).collect()
    }

    /// Ends it in the order in which nothing is written twice: callers, then the recorder, which writes what
    /// it has, then the rest.
    ///
    /// # Errors
    /// Something is left.
    pub fn finish(mut self) -> Result<(Vec<Life>, Vec<Told>)> {
        for caller in self.callers.values_mut() {
            end(&mut caller.child, Duration::from_secs(1));
        }
        if let Some(mut recorder) = self.recorder.take() {
            end(&mut recorder, Duration::from_secs(60));
        }
        let (lives, told) = (self.lives(), self.told());
        for log in ["haproxy.log", "etcd.log", "prometheus.log", "admin.log", "lastgasp.toml"] {
            let _ = fs::copy(self.stage.path().join(log), self.kept.join(log));
        }
        for (name, _) in self.instances.names() {
            let _ = fs::copy(
                self.stage.path().join("instances").join(name).join("log"),
                self.kept.join(format!("{name}.log")),
            );
        }
        let _ = fs::remove_dir_all(self.kept.join("files"));
        let tree = self.tree.clone();
        drop(self);
        tree.clear()?;
        Ok((lives, told))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for caller in self.callers.values_mut() {
            let _ = caller.child.kill();
            let _ = caller.child.wait();
        }
        if let Some(recorder) = &mut self.recorder {
            end(recorder, Duration::from_secs(20));
        }
        let balancer = self.balancer.as_mut();
        for child in self.neighbours.iter_mut().chain(balancer).chain(self.others.values_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A caller's settings, as it takes them.
fn settings(caller: &Caller) -> String {
    let path =
        caller.path.replace('%', "%25").replace('?', "%3F").replace('=', "%3D").replace('&', "%26").replace(',', "%2C");
    format!(
        "rate={}&timeout={}&retries={}&fallback={}&path={path}",
        caller.rate,
        caller.timeout.go(),
        caller.retries,
        caller.fallback
    )
}

fn ports(scenario: &Scenario) -> Result<Ports> {
    let mut free = free_ports(9 + scenario.service.instances + scenario.caller.len())?.into_iter();
    let mut next = || free.next().context("a port");
    Ok(Ports {
        etcd: next()?,
        etcd_peer: next()?,
        balancer: next()?,
        balancer_metrics: next()?,
        prometheus: next()?,
        admin: next()?,
        dependency: next()?,
        silent: next()?,
        lastgasp: next()?,
        instances: (0..scenario.service.instances).map(|_| next()).collect::<Result<_>>()?,
        callers: (0..scenario.caller.len()).map(|_| next()).collect::<Result<_>>()?,
    })
}

/// What Prometheus scrapes.
fn targets(scenario: &Scenario, ports: &Ports, names: &[(String, String)]) -> Vec<Target> {
    let target = |job, port, labels| Target { job, port, labels };
    let mut out = vec![
        target("haproxy", ports.balancer_metrics, Vec::new()),
        target("dependency", ports.dependency, vec![("service", scenario.dependency.name.clone())]),
        target("etcd", ports.etcd, Vec::new()),
        target("lastgasp", ports.lastgasp, Vec::new()),
    ];
    for ((name, centre), port) in names.iter().zip(&ports.instances) {
        let labels = vec![("service", scenario.service.name.clone()), ("name", name.clone()), ("dc", centre.clone())];
        out.push(target("service", *port, labels));
    }
    for (name, port) in scenario.caller.keys().zip(&ports.callers) {
        out.push(target("callers", *port, vec![("service", name.clone())]));
    }
    out
}

/// A folder in memory if there is one.
fn stage() -> Result<TempDir> {
    let builder = || tempfile::Builder::new().prefix("lastgasp-world-").to_owned();
    let shm = Path::new("/dev/shm");
    Ok(shm.is_dir().then(|| builder().tempdir_in(shm).ok()).flatten().map_or_else(|| builder().tempdir(), Ok)?)
}

/// Nobody else may read it.
fn private(file: &Path) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    Ok(fs::set_permissions(file, mode)?)
}
