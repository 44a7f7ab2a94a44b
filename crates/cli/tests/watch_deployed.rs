//! `lastgasp watch` as it is deployed: with the capabilities of its systemd unit and no more, and with
//! somebody to be told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use lastgasp_lab::build::repo_root;
use lastgasp_lab::hook::{listen, listen_by_https};
use serde_json::Value;
use watching::{Daemon, captures, forget, group, program, start_in, turn, victim};

mod watching;

fn unit() -> String {
    fs::read_to_string(repo_root().join("deploy/systemd/lastgasp.service")).unwrap()
}

/// Of `CapabilityBoundingSet=`, as setpriv wants them.
fn capabilities() -> String {
    let unit = unit();
    let line = unit.lines().find_map(|l| l.strip_prefix("CapabilityBoundingSet=")).unwrap();
    let names = line.split_whitespace().map(|c| format!(",+{}", c.strip_prefix("CAP_").unwrap().to_lowercase()));
    format!("-all{}", names.collect::<String>())
}

/// Another user's process, killed while the daemon has nothing but what the unit gives it: struck before, and
/// read after.
#[test]
fn under_the_units_capabilities_a_kill_is_captured() {
    let _turn = turn();
    if !nix::unistd::geteuid().is_root() || Command::new("setpriv").arg("--version").output().is_err() {
        return println!("SKIPPED: needs root and setpriv");
    }
    let (program, store) = (program("dies-other"), tempfile::tempdir().unwrap());
    fs::set_permissions(program.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut confined = Command::new("setpriv");
    confined.args(["--no-new-privs", "--inh-caps=-all", &format!("--bounding-set={}", capabilities())]);
    confined.arg(env!("CARGO_BIN_EXE_lastgasp"));
    let daemon = Daemon::start_by(confined, store.path(), "dies-other", "", &[]);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let effective = status.lines().find_map(|l| l.strip_prefix("CapEff:")).unwrap().trim();
    assert_eq!(u64::from_str_radix(effective, 16).unwrap().count_ones(), 4, "{effective}");
    let Some(group) = group(900, Some(watching::LIMIT)) else { return };
    let path = program.to_str().unwrap();
    let as_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", path, "-after", "2s", "-rate", "100000000"];
    let mut child = start_in(group.dirs(), Path::new("setpriv"), &as_nobody);
    let pid = child.id() as i32;
    watching::ends(&mut child);
    assert!(group.remove());
    let (log, pin) = (daemon.log(), watching::pin_is_tried(&daemon));
    daemon.stop();
    let found = captures(store.path(), pid);
    for phase in ["pre-kill", "post-kill"] {
        assert!(found.iter().any(|(p, ..)| p == phase), "no {phase}: {found:?}\n{log}");
    }
    assert_eq!(pin, "measured", "the pin's trial needs no more either:\n{log}");
    forget(&program);
}

/// What systemd itself says of the unit, where it is installed: nothing wrong, and not exposed.
#[test]
fn systemd_understands_the_unit() {
    let analyze = |args: &[&str], file: &Path| Command::new("systemd-analyze").args(args).arg(file).output();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lastgasp.service");
    // The binary is not installed here.
    fs::write(&file, unit().replace("/usr/local/bin/lastgasp", env!("CARGO_BIN_EXE_lastgasp"))).unwrap();
    match analyze(&["verify", "--man=no"], &file) {
        Err(_) => println!("SKIPPED: no systemd-analyze"),
        Ok(out) => {
            let said = String::from_utf8_lossy(&out.stderr);
            let about_it: Vec<&str> = said.lines().filter(|l| l.contains("lastgasp.service")).collect();
            assert!(about_it.is_empty(), "{about_it:?}");
        }
    }
}

/// The configuration that is shipped is one that the daemon takes.
#[test]
fn the_shipped_configuration_is_right() {
    let file = repo_root().join("deploy/systemd/lastgasp.toml");
    let out = Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(["config", "--config"]).arg(&file).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// A webhook is told of a real kill, once for the captures from before and after it, with the verdict.
#[test]
fn a_kill_is_told() {
    let _turn = turn();
    let (program, store) = (program("dies-told"), tempfile::tempdir().unwrap());
    let (url, told) = listen(&[200]).unwrap();
    let config = format!("[webhook.test]\nurl = {url:?}\nsettle = \"8s\"\n");
    let daemon = Daemon::start_by(watching::lastgasp(), store.path(), "dies-told", &config, &[]);
    let Some(victim) = victim(&program, 910, &["-after", "1s", "-rate", "100000000"]) else { return };
    let pid = victim.wait();
    let message: Value = serde_json::from_str(&told.recv_timeout(watching::PATIENCE).unwrap()).unwrap();
    assert_eq!(message["event"], "killed", "{message:#}");
    assert_eq!(message["pid"], pid);
    assert!(message["verdict"]["sentence"].as_str().unwrap().contains("main.growA"), "{message:#}");
    let folder = Path::new(message["capture"].as_str().unwrap());
    assert!(folder.join("report.html").is_file());
    // The death, by all captures of it: what is told is what `report` says of any of them.
    let captures = message["death"]["captures"].as_array().unwrap();
    assert_eq!(captures.last().unwrap()["phase"], "post-kill", "{message:#}");
    let report = |folder: &Path| {
        let out = watching::lastgasp().args(["report", "--format", "json"]).arg(folder).output().unwrap();
        serde_json::from_slice::<Value>(&out.stdout).unwrap()
    };
    let said = report(folder);
    assert_eq!(said["verdict"]["sentence"], message["verdict"]["sentence"]);
    assert_eq!(said["death"]["captures"].as_array().map(Vec::len), Some(captures.len()));
    for before in captures.iter().filter_map(|c| c["folder"].as_str()) {
        assert_eq!(report(&folder.with_file_name(before)), said);
    }
    assert!(message["text"].as_str().unwrap().contains("the process was "), "{message:#}");
    daemon.stop();
    assert!(told.try_recv().is_err(), "one message for one death");
    forget(&program);
}

/// Pagers are told by https. Whose certificate nobody vouches for is told nothing: the capture has the
/// machine's paths and names in it.
#[test]
fn only_who_can_be_trusted_is_told() {
    let _turn = turn();
    let (program, store) = (program("dies-https"), tempfile::tempdir().unwrap());
    let (url, told, certificate) = listen_by_https(&[200]).unwrap();
    let (elsewhere, told_elsewhere, _) = listen_by_https(&[200]).unwrap();
    let trusted = store.path().join("trusted.pem");
    fs::write(&trusted, certificate).unwrap();
    let hooks = [("ours", &url), ("stranger", &elsewhere)];
    let config = hooks.map(|(name, url)| format!("[webhook.{name}]\nurl = {url:?}\nsettle = \"2s\"\n")).concat();
    let mut command = watching::lastgasp();
    command.env("SSL_CERT_FILE", &trusted);
    let daemon = Daemon::start_by(command, store.path(), "dies-https", &config, &[]);
    let Some(victim) = victim(&program, 920, &["-after", "1s", "-rate", "100000000"]) else { return };
    let pid = victim.wait();
    let message: Value = serde_json::from_str(&told.recv_timeout(watching::PATIENCE).unwrap()).unwrap();
    assert_eq!((&message["event"], &message["pid"]), (&"killed".into(), &pid.into()), "{message:#}");
    // Three attempts, after 1 and 5 seconds.
    let refused = watching::wait_for(|| daemon.log.events("webhook-failed").pop());
    let line = refused.expect("the stranger's certificate is complained of");
    assert_eq!(line["webhook"], "stranger", "{line}");
    assert!(line["message"].as_str().unwrap().to_lowercase().contains("certificate"), "{line}");
    assert!(!line.to_string().contains(&elsewhere), "the address may be a secret: {line}");
    daemon.stop();
    assert!(told_elsewhere.try_recv().is_err() && told.try_recv().is_err());
    forget(&program);
}
