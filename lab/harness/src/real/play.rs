//! One of the programs, running on loopback with its data in a folder of its own, and load on it: a few clients that each do one small thing after another.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::{Program, nats};

/// Rest between two requests of a client: load that leaves the machine room to look.
const REST: Duration = Duration::from_millis(4);
/// Rest after which load is no load any more.
const MOST_REST: Duration = Duration::from_millis(32);
/// GOGC for all of them: with heaps this small and the usual 100 a GC cycle would end every tenth of a second, and what the program says before and
/// after a look would hardly ever be the same.
const GOGC: &str = "400";
/// Longest answer that is read.
const MOST: u64 = 256 << 20;

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
    done: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

/// HTTP, as a client of ours speaks it.
#[derive(Clone, Debug)]
struct Web(ureq::Agent);

impl Web {
    fn new() -> Self {
        Self(ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into())
    }

    fn get(&self, url: &str) -> Result<Vec<u8>> {
        let mut answer = self.0.get(url).call().with_context(|| url.to_owned())?;
        Ok(answer.body_mut().with_config().limit(MOST).read_to_vec()?)
    }

    fn post(&self, url: &str, body: &str) -> Result<Vec<u8>> {
        let mut answer = self.0.post(url).send(body).with_context(|| url.to_owned())?;
        Ok(answer.body_mut().with_config().limit(MOST).read_to_vec()?)
    }
}

/// What one client does again and again; told how often it has done so.
type Deed = Box<dyn FnMut(u64) -> Result<()> + Send>;

/// How to run a program: its arguments, where it answers, and what its clients do.
struct Plan {
    args: Vec<String>,
    ready: String,
    pprof: String,
    metrics: Option<String>,
    vars: Option<String>,
    /// Makes the clients once the program answers.
    clients: Box<dyn FnOnce() -> Result<Vec<Deed>>>,
}

impl Playing {
    /// Starts it and puts load on it.
    ///
    /// # Errors
    /// It did not start; its own words stand in the error.
    pub fn start(program: &Program, binary: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("lastgasp-real-").tempdir()?;
        let plan = plan(program.name, dir.path())?;
        let log = dir.path().join("log");
        let mut child = Command::new(binary)
            .args(&plan.args)
            .current_dir(dir.path())
            // What they would write elsewhere.
            .env("HOME", dir.path())
            .env("XDG_DATA_HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path())
            .env("GOGC", GOGC)
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
            done: Arc::default(),
            failed: Arc::default(),
            clients: Vec::new(),
        };
        for deed in (plan.clients)()? {
            playing.employ(deed);
        }
        Ok(playing)
    }

    fn employ(&mut self, mut deed: Deed) {
        let (ended, rest) = (Arc::clone(&self.ended), Arc::clone(&self.rest_ms));
        let (done, failed) = (Arc::clone(&self.done), Arc::clone(&self.failed));
        self.clients.push(std::thread::spawn(move || {
            let mut i = 0;
            while !ended.load(Ordering::Relaxed) {
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

fn wait(web: &Web, child: &mut Child, url: &str) -> Result<()> {
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

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Clients that ask for these pages in turn.
fn getters(count: usize, urls: Vec<String>) -> Vec<Deed> {
    let one = |k: usize| -> Deed {
        let (web, urls) = (Web::new(), urls.clone());
        Box::new(move |i| {
            let url = urls.get((i as usize + k) % urls.len().max(1)).context("no page")?;
            web.get(url).map(drop)
        })
    };
    (0..count).map(one).collect()
}

fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|a| (*a).to_owned()).collect()
}

fn plan(name: &str, dir: &Path) -> Result<Plan> {
    match name {
        "prometheus" => prometheus(dir),
        "etcd" => etcd(dir),
        "caddy" => caddy(dir),
        "nats-server" => nats_server(),
        "victoria-metrics" => victoria_metrics(dir),
        _ => bail!("nobody knows how to run {name}"),
    }
}

/// Scrapes itself every quarter of a second and answers queries over that.
fn prometheus(dir: &Path) -> Result<Plan> {
    let at = free_address()?;
    let base = format!("http://{at}");
    let config = dir.join("prometheus.yml");
    fs::write(
        &config,
        format!(
            "global:\n  scrape_interval: 250ms\n  scrape_timeout: 200ms\nscrape_configs:\n- job_name: itself\n  static_configs:\n  - targets: ['{at}']\n"
        ),
    )?;
    let query = format!("{base}/api/v1/query?query=");
    let urls = vec![
        format!("{query}rate(prometheus_http_requests_total%5B10s%5D)"),
        format!("{query}sum+by+(job)+(%7B__name__%3D~%22go_.*%22%7D)"),
        format!("{query}histogram_quantile(0.9,rate(prometheus_http_request_duration_seconds_bucket%5B10s%5D))"),
        format!("{base}/api/v1/series?match%5B%5D=%7B__name__%3D~%22prometheus_.*%22%7D"),
        format!("{base}/metrics"),
    ];
    Ok(Plan {
        args: strings(&[
            &format!("--config.file={}", config.display()),
            &format!("--storage.tsdb.path={}", dir.join("data").display()),
            &format!("--web.listen-address={at}"),
        ]),
        ready: format!("{base}/-/ready"),
        pprof: format!("{base}/debug/pprof"),
        metrics: Some(format!("{base}/metrics")),
        vars: None,
        clients: Box::new(move || Ok(getters(4, urls))),
    })
}

/// Puts and ranges through the JSON gateway.
fn etcd(dir: &Path) -> Result<Plan> {
    let (client, peer) = (format!("http://{}", free_address()?), format!("http://{}", free_address()?));
    let base = client.clone();
    let clients = move || {
        // The gateway wants base64: eight letters or digits are six bytes of it.
        let key = |n: u64| format!("key{:05}", n % 4000);
        let (put, range) = (format!("{base}/v3/kv/put"), format!("{base}/v3/kv/range"));
        let mut deeds: Vec<Deed> = Vec::new();
        for k in 0..2u64 {
            let (web, put) = (Web::new(), put.clone());
            deeds.push(Box::new(move |i| {
                let value = "abcd".repeat(20 + (i as usize * 7) % 400);
                web.post(&put, &format!("{{\"key\":\"{}\",\"value\":\"{value}\"}}", key(i * 2 + k))).map(drop)
            }));
            let (web, range) = (Web::new(), range.clone());
            deeds.push(Box::new(move |i| {
                let (from, to) = (key(i * 37), key(i * 37 + 20).max(key(i * 37 + 1)));
                web.post(&range, &format!("{{\"key\":\"{from}\",\"range_end\":\"{to}\"}}")).map(drop)
            }));
        }
        Ok(deeds)
    };
    Ok(Plan {
        args: strings(&[
            &format!("--data-dir={}", dir.join("data").display()),
            &format!("--listen-client-urls={client}"),
            &format!("--advertise-client-urls={client}"),
            &format!("--listen-peer-urls={peer}"),
            &format!("--initial-advertise-peer-urls={peer}"),
            &format!("--initial-cluster=default={peer}"),
            "--enable-pprof",
        ]),
        ready: format!("{client}/health"),
        pprof: format!("{client}/debug/pprof"),
        metrics: Some(format!("{client}/metrics")),
        vars: None,
        clients: Box::new(clients),
    })
}

/// Serves files, compressed, and short answers; the admin endpoint has pprof.
fn caddy(dir: &Path) -> Result<Plan> {
    let (admin, site) = (free_address()?, free_address()?);
    let root = dir.join("site");
    fs::create_dir_all(&root)?;
    for i in 0..20 {
        let line = format!("line {i} of a page that compresses well\n");
        fs::write(root.join(format!("{i}.html")), line.repeat(100 * (i + 1)))?;
    }
    let config = dir.join("caddy.json");
    fs::write(
        &config,
        format!(
            r#"{{"admin":{{"listen":"{admin}"}},"storage":{{"module":"file_system","root":"{dir}"}},
"apps":{{"http":{{"metrics":{{}},"servers":{{"site":{{"listen":["{site}"],"automatic_https":{{"disable":true}},"routes":[
{{"match":[{{"path":["/hello*"]}}],"handle":[{{"handler":"static_response","body":"hello {{http.request.uri}}"}}]}},
{{"handle":[{{"handler":"encode","encodings":{{"gzip":{{}},"zstd":{{}}}}}},{{"handler":"file_server","root":"{root}"}}]}}]}}}}}}}}}}"#,
            dir = dir.display(),
            root = root.display()
        ),
    )?;
    let mut urls: Vec<String> = (0..20).map(|i| format!("http://{site}/{i}.html")).collect();
    urls.extend((0..5).map(|i| format!("http://{site}/hello?{i}")));
    let base = format!("http://{admin}");
    Ok(Plan {
        args: strings(&["run", "--config", &config.display().to_string()]),
        ready: format!("{base}/config/"),
        pprof: format!("{base}/debug/pprof"),
        metrics: Some(format!("{base}/metrics")),
        vars: None,
        clients: Box::new(move || Ok(getters(4, urls))),
    })
}

/// Messages of several subjects, with one listener each.
fn nats_server() -> Result<Plan> {
    let (at, monitor, profile) = (free_address()?, free_address()?, free_address()?);
    let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
    let address = at.clone();
    let clients = move || {
        let mut deeds: Vec<Deed> = Vec::new();
        for k in 0..4u32 {
            let subject = format!("lab.{k}");
            let mut listener = nats::Client::connect(&address)?;
            listener.subscribe(&subject, k)?;
            deeds.push(Box::new(move |_| listener.next().map(drop)));
            let mut speaker = nats::Client::connect(&address)?;
            deeds.push(Box::new(move |i| {
                let body = vec![b'x'; 64 + (i as usize * 131) % 8192];
                (0..20).try_for_each(|_| speaker.publish(&subject, &body))?;
                speaker.settle()
            }));
        }
        Ok(deeds)
    };
    Ok(Plan {
        args: strings(&["-a", "127.0.0.1", "-p", &port(&at), "-m", &port(&monitor), "-profile", &port(&profile)]),
        ready: format!("http://{monitor}/healthz"),
        pprof: format!("http://{profile}/debug/pprof"),
        metrics: None,
        vars: Some(format!("http://{monitor}/debug/vars")),
        clients: Box::new(clients),
    })
}

/// Imports lines and queries them.
fn victoria_metrics(dir: &Path) -> Result<Plan> {
    let at = free_address()?;
    let base = format!("http://{at}");
    let url = base.clone();
    let clients = move || {
        let mut deeds = getters(
            2,
            vec![
                format!("{url}/api/v1/query?query=sum(rate(lab_requests%5B10s%5D))by(host)"),
                format!("{url}/api/v1/query_range?query=lab_requests&step=1s"),
                format!("{url}/api/v1/series?match%5B%5D=lab_requests"),
                format!("{url}/metrics"),
            ],
        );
        for k in 0..2 {
            let (web, import) = (Web::new(), format!("{url}/api/v1/import/prometheus"));
            deeds.push(Box::new(move |i| {
                let line = |n: u64| format!("lab_requests{{host=\"h{n}\",client=\"{k}\"}} {}\n", i * 100 + n);
                web.post(&import, &(0..200).map(line).collect::<String>()).map(drop)
            }));
        }
        Ok(deeds)
    };
    Ok(Plan {
        args: strings(&[
            &format!("-storageDataPath={}", dir.join("data").display()),
            &format!("-httpListenAddr={at}"),
            "-retentionPeriod=1d",
        ]),
        ready: format!("{base}/health"),
        pprof: format!("{base}/debug/pprof"),
        metrics: Some(format!("{base}/metrics")),
        vars: None,
        clients: Box::new(clients),
    })
}
