//! What a service stands on, as others wrote it: etcd, HAProxy, Prometheus; each with ports and folders of
//! its own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::Result;

use super::groups::Group;
use super::packages::Packages;
use super::process::{Start, end, wait_for};
use crate::scenario::Balancer;

/// Longest that one of them takes to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ports of a world.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) etcd_peer: u16,
    pub(super) balancer: u16,
    pub(super) balancer_metrics: u16,
    pub(super) prometheus: u16,
    pub(super) admin: u16,
    pub(super) dependency: u16,
    pub(super) silent: u16,
    pub(super) lastgasp: u16,
    pub(super) instances: Vec<u16>,
    pub(super) callers: Vec<u16>,
}

/// Starts etcd.
pub(super) fn etcd(packages: &Packages, ports: &Ports, group: &Group, stage: &Path) -> Result<Child> {
    let log = stage.join("etcd.log");
    let (client, peer) = (format!("http://127.0.0.1:{}", ports.etcd), format!("http://127.0.0.1:{}", ports.etcd_peer));
    let mut child = Start::new(&packages.etcd, group, &log)
        .args(["--name", "lab", "--data-dir"])
        .args([stage.join("etcd").display().to_string()])
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("lab={peer}")])
        // The config of the notes has 3.1 MB, and etcd takes 1.5 MB by default.
        .args(["--max-request-bytes", "67108864", "--log-level", "warn", "--unsafe-no-fsync"])
        .spawn()?;
    wait_for("etcd", ports.etcd, &mut child, &log, PATIENCE)?;
    Ok(child)
}

/// What Prometheus scrapes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) job: &'static str,
    pub(super) port: u16,
    pub(super) labels: Vec<(&'static str, String)>,
}

/// Starts Prometheus.
pub(super) fn prometheus(
    packages: &Packages,
    ports: &Ports,
    group: &Group,
    stage: &Path,
    targets: &[Target],
) -> Result<Child> {
    let mut config = String::from("global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n");
    let mut jobs: Vec<&str> = targets.iter().map(|t| t.job).collect();
    jobs.sort_unstable();
    jobs.dedup();
    for job in jobs {
        let _ = write!(config, "  - job_name: {job}\n    static_configs:\n");
        for Target { port, labels, .. } in targets.iter().filter(|t| t.job == job) {
            let _ = writeln!(config, "      - targets: [\"127.0.0.1:{port}\"]");
            if !labels.is_empty() {
                config.push_str("        labels:\n");
            }
            for (name, value) in labels {
                let _ = writeln!(config, "          {name}: \"{value}\"");
            }
        }
    }
    fs::write(stage.join("prometheus.yml"), config)?;
    prometheus_again(packages, ports, group, stage)
}

/// Starts it with the configuration that was written before.
pub(super) fn prometheus_again(packages: &Packages, ports: &Ports, group: &Group, stage: &Path) -> Result<Child> {
    let file = stage.join("prometheus.yml");
    let log = stage.join("prometheus.log");
    let mut child = Start::new(&packages.prometheus, group, &log)
        .args([
            format!("--config.file={}", file.display()),
            format!("--web.listen-address=127.0.0.1:{}", ports.prometheus),
        ])
        .args([format!("--storage.tsdb.path={}", stage.join("prometheus").display())])
        .args(["--log.level=warn", "--storage.tsdb.retention.time=1h"])
        .spawn()?;
    wait_for("prometheus", ports.prometheus, &mut child, &log, PATIENCE)?;
    Ok(child)
}

/// Starts HAProxy, or puts another one into the place of that which runs.
pub(super) fn balancer(
    packages: &Packages,
    ports: &Ports,
    group: &Group,
    stage: &Path,
    wanted: (&str, &Balancer, &[(String, u16)]),
    before: Option<Child>,
) -> Result<Child> {
    let (service, balancer, servers) = wanted;
    let file = stage.join("haproxy.cfg");
    fs::write(&file, balancer_config(ports, service, balancer, servers))?;
    let log = stage.join("haproxy.log");
    let mut start = Start::new(&packages.haproxy, group, &log).args(["-db", "-f"]).args([file.display().to_string()]);
    if let Some(before) = &before {
        start = start.args(["-sf".to_owned(), before.id().to_string()]);
    }
    let mut child = start.spawn()?;
    wait_for("haproxy", ports.balancer, &mut child, &log, PATIENCE)?;
    if let Some(mut before) = before {
        // It was told to finish what it has; nothing of it is worth minutes.
        std::thread::spawn(move || end(&mut before, Duration::from_secs(30)));
    }
    Ok(child)
}

fn balancer_config(ports: &Ports, service: &str, balancer: &Balancer, servers: &[(String, u16)]) -> String {
    let late = if balancer.retry_on_timeout { " response-timeout" } else { "" };
    let mut out = format!(
        "global\n  maxconn 8000\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 120s\n  timeout server {}ms\n  timeout queue 5s\n  retries {}\n  option redispatch 1\n  retry-on conn-failure empty-response{late} 502 503\n",
        balancer.timeout.0, balancer.retries
    );
    let _ = write!(
        out,
        "frontend front\n  bind 127.0.0.1:{}\n  default_backend {service}\nfrontend metrics\n  bind 127.0.0.1:{}\n  http-request use-service prometheus-exporter if {{ path /metrics }}\n",
        ports.balancer, ports.balancer_metrics
    );
    let _ = write!(
        out,
        "backend {service}\n  balance roundrobin\n  option httpchk GET /healthz\n  http-check expect status 200\n"
    );
    for (name, port) in servers {
        let _ = writeln!(
            out,
            "  server {name} 127.0.0.1:{port} check inter {}ms fall 2 rise 1 maxconn 4000",
            balancer.health_every.0
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balancer_has_every_server_and_its_retries() {
        let ports = Ports {
            etcd: 1,
            etcd_peer: 2,
            balancer: 3,
            balancer_metrics: 4,
            prometheus: 5,
            admin: 6,
            dependency: 7,
            silent: 8,
            lastgasp: 9,
            instances: vec![10, 11],
            callers: vec![],
        };
        let servers = [("rs-a-1".to_owned(), 10), ("rs-b-1".to_owned(), 11)];
        let text = balancer_config(&ports, "rs", &Balancer { retries: 3, ..Balancer::default() }, &servers);
        assert!(
            text.contains("  retries 3\n") && text.contains("server rs-a-1 127.0.0.1:10 check inter 500ms"),
            "{text}"
        );
        assert!(
            text.contains("server rs-b-1") && text.contains("bind 127.0.0.1:3\n") && text.contains("response-timeout")
        );
    }
}
