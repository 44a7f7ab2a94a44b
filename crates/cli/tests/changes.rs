//! Changes that come in, end to end: a real daemon, a real etcd, `POST /v1/changes` and `lastgasp event`.
//! Root, and Debian's etcd-server, which is installed where it is not there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-this-test-0123456789";
/// What must never be found in the store.
const SECRET: &str = "7316509";

/// A port that was free a moment ago.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn until<T>(what: &str, longest: Duration, mut done: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(done) = done() {
            return done;
        }
        assert!(began.elapsed() < longest, "{what}: not within {longest:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// etcd's program, installed if that can be; a sentence if not.
fn etcd_program() -> Result<PathBuf, String> {
    let path = PathBuf::from("/usr/bin/etcd");
    if !path.exists() {
        // Its package would start one of its own.
        let install = Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends", "etcd-server"])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            .stdin(Stdio::null())
            .output();
        if !install.is_ok_and(|o| o.status.success()) || !path.exists() {
            return Err("etcd-server cannot be installed".into());
        }
    }
    Ok(path)
}

/// A process that is killed with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGCONT);
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Etcd {
    process: Running,
    port: u16,
}

impl Etcd {
    /// The program under a name of its own, so that no other etcd of this machine is watched.
    fn start(program: &Path, data: &Path, port: u16) -> Self {
        let peer = self::port();
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let child = Command::new(program)
            .arg("--data-dir")
            .arg(data)
            .args(["--listen-client-urls", &url(port), "--advertise-client-urls", &url(port)])
            .args(["--listen-peer-urls", &url(peer), "--initial-advertise-peer-urls", &url(peer)])
            .args(["--initial-cluster", &format!("default={}", url(peer))])
            .args(["--max-request-bytes", "16777216"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let etcd = Self { process: Running(child), port };
        until("etcd answers", Duration::from_secs(60), || {
            post(port, "/v3/kv/range", &[], r#"{"key":"YQ=="}"#).filter(|a| a.contains("header"))
        });
        etcd
    }

    fn put(&self, key: &str, value: &str) {
        let body = json!({"key": base64(key.as_bytes()), "value": base64(value.as_bytes())}).to_string();
        let answer = post(self.port, "/v3/kv/put", &[], &body).unwrap();
        assert!(answer.contains("revision"), "{answer}");
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.0.id() as i32), signal).unwrap();
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let three = |c: &[u8]| {
        let bits = c.iter().fold(0u32, |all, b| (all << 8) | u32::from(*b)) << (8 * (3 - c.len()));
        (0..4)
            .map(|i| if i <= c.len() { ALPHABET[(bits >> (18 - 6 * i) & 63) as usize] as char } else { '=' })
            .collect::<String>()
    };
    bytes.chunks(3).map(three).collect()
}

/// The answer to a request by POST, head and body.
fn post(port: u16, path: &str, headers: &[(&str, &str)], body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let headers: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Some(String::from_utf8_lossy(&answer).into_owned())
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn lastgasp(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastgasp")).args(args).output().unwrap()
}

struct World {
    folder: tempfile::TempDir,
    port: u16,
}

impl World {
    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn daemon(&self) -> Running {
        let child = Command::new(env!("CARGO_BIN_EXE_lastgasp"))
            .args(["watch", "--config"])
            .arg(self.folder.path().join("lastgasp.toml"))
            .env("LASTGASP_CACHE_DIR", "")
            .stderr(fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let daemon = Running(child);
        until("the daemon answers", Duration::from_secs(30), || {
            get(self.port, "/healthz").filter(|a| a.contains("200 OK"))
        });
        daemon
    }

    fn changes(&self) -> Vec<Value> {
        let out = lastgasp(&["event", "list", "--json", "--store", self.store().to_str().unwrap()]);
        String::from_utf8_lossy(&out.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    fn change(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        until(what, Duration::from_secs(30), || self.changes().into_iter().find(|c| is_it(c)))
    }

    /// Records of one kind in the store, as they were written.
    fn records(&self, kind: &str) -> Vec<Value> {
        let mut all = Vec::new();
        for file in fs::read_dir(self.store().join("events")).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().starts_with(kind) {
                let text = fs::read_to_string(file.path()).unwrap();
                all.extend(text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["e"].clone()));
            }
        }
        all
    }

    fn feed(&self, source: &str) -> Option<Value> {
        self.records("feeds").into_iter().rfind(|f| f["source"] == source)
    }
}

fn list(n: usize) -> String {
    format!("[{}]", vec![SECRET; n].join(","))
}

#[test]
fn changes_come_in_from_a_real_etcd_by_post_and_by_command() {
    if !Uid::effective().is_root() {
        println!("SKIPPED changes: needs root");
        return;
    }
    let program = match etcd_program() {
        Ok(program) => program,
        Err(why) => {
            println!("SKIPPED changes: {why}");
            return;
        }
    };
    let world = World { folder: tempfile::tempdir().unwrap(), port: port() };
    let folder = world.folder.path();
    let own = folder.join(format!("etcd-{}", std::process::id()));
    fs::copy(program, &own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    let service = own.file_name().unwrap().to_str().unwrap().to_owned();
    let (etcd_port, data) = (port(), folder.join("data"));
    let etcd = Etcd::start(&own, &data, etcd_port);
    etcd.put("/config/ugctab", &list(312));
    etcd.put("/config/other", "x");
    fs::write(folder.join("token"), TOKEN).unwrap();
    let config = format!(
        "[store]\npath = {:?}\n[http]\nlisten = \"127.0.0.1:{}\"\n[pin]\ntrial = false\n[include]\nservices = [{service:?}]\n[changes]\ntoken_file = {:?}\n\
         [feed.main]\ntype = \"etcd\"\nurl = \"http://127.0.0.1:{etcd_port}\"\nkeys = [\"/config/\", \"/flags/\"]\nservices = [\"resource-service\"]\nround = \"2s\"\n",
        world.store(),
        world.port,
        folder.join("token"),
    );
    fs::write(folder.join("lastgasp.toml"), config).unwrap();
    let daemon = world.daemon();
    until("the feed speaks", Duration::from_secs(20), || world.feed("etcd:main").filter(|f| f["connected"] == true));
    // Two rounds: what was there at first is known, and the watch stands.
    std::thread::sleep(Duration::from_secs(3));
    assert!(world.changes().iter().all(|c| c["source"] != "etcd:main"), "what is there at first is no change");

    let began = Instant::now();
    etcd.put("/config/ugctab", &list(230_184));
    let change = world.change("the change in etcd", |c| c["key"] == "/config/ugctab");
    println!("told {:?} after it was written", began.elapsed());
    assert_eq!((&change["elements_before"], &change["elements"]), (&json!(312), &json!(230_184)));
    assert_eq!(change["size_bytes"], json!(list(230_184).len()));
    etcd.put("/flags/new-tab", "on");
    world.change("a key of another prefix", |c| c["key"] == "/flags/new-tab");

    // By POST: with the token, once.
    let body =
        json!({"id": "ops-1", "kind": "admin", "key": "ugctab", "count": 230_184, "value": list(9), "by": "ops-admin"})
            .to_string();
    let told = |headers: &[(&str, &str)]| post(world.port, "/v1/changes", headers, &body).unwrap();
    let bearer = format!("Bearer {TOKEN}");
    assert!(told(&[]).starts_with("HTTP/1.1 401 "));
    assert!(told(&[("Authorization", "Bearer x")]).starts_with("HTTP/1.1 401 "));
    assert!(told(&[("Authorization", &bearer)]).contains("\"accepted\":1"));
    assert!(told(&[("Authorization", &bearer)]).contains("\"duplicates\":1"));
    let large = "x".repeat(2 << 20);
    assert!(
        post(world.port, "/v1/changes", &[("Authorization", &bearer)], &large).unwrap().starts_with("HTTP/1.1 413 ")
    );
    assert!(get(world.port, "/v1/changes").unwrap().starts_with("HTTP/1.1 404 "));
    world.change("the change by POST", |c| c["id"] == "ops-1" && c["by"] == "ops-admin");
    // By the command, to the daemon and into the store.
    let (url, token) = (format!("http://127.0.0.1:{}", world.port), folder.join("token"));
    let add = ["event", "add", "--kind", "config", "--key", "by-command", "--count", "230184"];
    let out = lastgasp(&[&add[..], &["--to", &url, "--token-file", token.to_str().unwrap()]].concat());
    assert!(out.status.success(), "{out:?}");
    let out = lastgasp(&[&add[..], &["--to", &url]].concat());
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("401"), "{out:?}");
    assert!(
        lastgasp(&[
            "event",
            "add",
            "--kind",
            "release",
            "--key",
            "by-store",
            "--store",
            world.store().to_str().unwrap()
        ])
        .status
        .success()
    );
    for key in ["by-command", "by-store"] {
        world.change(key, |c| c["key"] == key && c["source"] == "event add");
    }

    // An etcd that hangs holds up nothing, and the feed has a hole; what was written behind it comes with the
    // next answer.
    etcd.signal(Signal::SIGSTOP);
    let lost = until("the feed is lost", Duration::from_secs(40), || {
        let began = Instant::now();
        assert!(get(world.port, "/healthz").unwrap().contains("200 OK"));
        assert!(began.elapsed() < Duration::from_secs(1), "the daemon was held up");
        world.feed("etcd:main").filter(|f| f["connected"] == false)
    });
    assert_eq!(lost["holes"].as_array().unwrap().len(), 1);
    etcd.signal(Signal::SIGCONT);
    etcd.put("/config/other", "y");
    world.change("what came after the hole", |c| c["key"] == "/config/other");
    until("the hole ends", Duration::from_secs(40), || {
        world.feed("etcd:main").filter(|f| f["holes"][0]["to_unix_ms"].is_number())
    });

    // It is a Go program, and watched: it is killed, and begun again.
    until("its life", Duration::from_secs(20), || {
        world.records("generations").into_iter().find(|g| g["service"] == json!(service))
    });
    drop(etcd);
    let end = until("its end", Duration::from_secs(20), || {
        world.records("generations").into_iter().rfind(|g| g["ended_unix_ms"].is_number())
    });
    assert_eq!(end["ending"], "killed", "{end}");
    assert!(end["gogc"] == 100 && end["build"]["file_unix_ms"].is_number(), "{end}");

    // What a feed costs that says nothing: with a round of two seconds, seven times what is usual.
    let processor = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.0.id())).unwrap();
        let fields: Vec<i64> =
            stat.rsplit(')').next().unwrap().split_whitespace().filter_map(|f| f.parse().ok()).collect();
        // utime and stime, in hundredths of a second; the state is no number.
        fields[10] + fields[11]
    };
    let (before, began) = (processor(), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    println!("the daemon used {} ms of a processor in {:?}", (processor() - before) * 10, began.elapsed());

    // Nothing of the contents was kept, and memory stayed what it was.
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap();
    let peak: u64 = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .unwrap();
    println!("the daemon took {peak} kB at most");
    assert!(peak < 96 << 10, "{peak} kB");
    for file in fs::read_dir(world.store().join("events")).unwrap() {
        let text = fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(&format!("{SECRET},{SECRET}")));
    }

    // After a restart all of it is known, and that nobody listened meanwhile.
    let before = world.changes().len();
    drop(daemon);
    std::thread::sleep(Duration::from_secs(6));
    let etcd = Etcd::start(&own, &data, etcd_port);
    etcd.put("/config/ugctab", &list(7));
    let _daemon = world.daemon();
    let feed = until("the feed speaks again", Duration::from_secs(30), || {
        world.feed("etcd:main").filter(|f| f["connected"] == true)
    });
    let holes = feed["holes"].as_array().unwrap();
    assert!(
        holes.iter().any(|h| h["why"] == "lastgasp was not running" || h["why"].as_str().unwrap().contains("onnect")),
        "{feed}"
    );
    assert!(world.changes().len() >= before);
}
