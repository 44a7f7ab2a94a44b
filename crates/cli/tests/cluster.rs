//! A scenario of an incident (`lab/cluster`), played in a world of its own with the daemon: a balancer,
//! callers, etcd, an admin platform, Prometheus, instances in cgroups that die. `cargo xtask incident --all`
//! plays all. Needs root, cgroups, Go, git, and HAProxy, etcd and Prometheus of Debian; skips loudly without.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;

use lastgasp_cluster::play::play;
use lastgasp_cluster::scenario::Scenario;
use lastgasp_cluster::world::missing;
use lastgasp_lab::build::{cache_dir, repo_root};
use lastgasp_lab::progress::Progress;
use lastgasp_lab::toolchain;

#[test]
fn instances_die_of_what_the_admin_platform_published_and_are_captured() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("SKIPPED: needs root to make cgroups");
    }
    if let Err(e) = toolchain::any(&cache_dir()) {
        return eprintln!("SKIPPED: {e:#}");
    }
    let lacking = missing();
    if !lacking.is_empty() {
        return eprintln!("SKIPPED: needs {} (cargo xtask incident installs them)", lacking.join(", "));
    }
    let scenarios = Scenario::all(&repo_root().join("lab/cluster/scenarios")).unwrap();
    let scenario = scenarios.iter().find(|s| s.ci).unwrap();
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().join("play");
    let lastgasp = Path::new(env!("CARGO_BIN_EXE_lastgasp"));
    let progress = Progress::start();
    let played = match play(scenario, 0, lastgasp, &folder, &progress) {
        Ok(played) => played,
        Err(e) if format!("{e:#}").contains("cgroup") => return eprintln!("SKIPPED: {e:#}"),
        Err(e) => std::panic::panic_any(format!("{e:#}")),
    };
    let record = &played.record;
    assert_eq!(record.failures, [""; 0]);
    let push = record.time_of("push").unwrap();
    let kill = record.first_kill().unwrap();
    assert!(kill > push, "killed {} ms before the config was published", push - kill);
    // Each was taken as it died, and nothing of the world is left.
    let captures: Vec<String> = std::fs::read_dir(played.store())
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.contains("resource-service"))
        .collect();
    for life in record.kills() {
        assert!(captures.iter().any(|c| c.contains(&format!("-{}-", life.pid))), "{life:?}: {captures:?}");
    }
    let left = |pid: u32| Path::new(&format!("/proc/{pid}")).exists();
    assert!(!record.lives.iter().any(|l| left(l.pid)));
}
