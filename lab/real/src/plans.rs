//! How each program is run on loopback, and what its clients do.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::nats;
use crate::web::Web;

/// What one client does again and again; told how often it has done so.
pub(super) type Deed = Box<dyn FnMut(u64) -> Result<()> + Send>;

/// How to run a program: its arguments, where it answers, and what its clients do.
pub(super) struct Plan {
    pub(super) args: Vec<String>,
    /// Where its clients go: `127.0.0.1:4222`.
    pub(super) address: String,
    pub(super) ready: String,
    pub(super) pprof: String,
    pub(super) metrics: Option<String>,
    pub(super) vars: Option<String>,
    /// Makes the clients once the program answers.
    pub(super) clients: Box<dyn FnOnce() -> Result<Vec<Deed>>>,
}

pub(super) fn free_address() -> Result<String> {
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

pub(super) fn plan(name: &str, dir: &Path) -> Result<Plan> {
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
        address: at,
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
        address: client.trim_start_matches("http://").to_owned(),
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
        address: site,
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
            deeds.push(Box::new(move |_| listener.receive().map(drop)));
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
        address: at,
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
        address: at,
        ready: format!("{base}/health"),
        pprof: format!("{base}/debug/pprof"),
        metrics: Some(format!("{base}/metrics")),
        vars: None,
        clients: Box::new(clients),
    })
}
