//! The incident as its team lived it: the service dies, is started again with the same config, callers that
//! waited retry all at once, goroutines pile up in its first seconds, and it dies again. Whoever looks at the
//! second process alone sees the goroutines first.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::incident::{Ended, Expect, Programs, publish, stage, wait_for};

/// Requests a second of callers that retry.
const RETRIES: u32 = 100;

/// One life of the service.
#[derive(Debug)]
pub struct Life {
    /// Exit code of the lastgasp that watched it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// And complained.
    pub stderr: String,
}

/// Plays both lives, each under a `lastgasp run` of its own with the same store. The first has that long a
/// calm before the big config; neither lives longer than `after` it.
///
/// # Errors
/// It could not be staged, or the service lived on.
pub fn play_restart(
    programs: &Programs,
    expect: &Expect,
    lastgasp: &Path,
    store: &Path,
    (calm, after): (Duration, Duration),
) -> Result<[Life; 2]> {
    let dir = stage()?;
    let at = |name: &str| dir.path().join(name);
    fs::copy(programs.service(), at("resource-service")).context("copying the service")?;
    publish(programs, &at("config.json"), expect.config.ids_calm)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");
    let start = |life: &str| -> Result<Ended> {
        let mut run = Command::new(lastgasp);
        run.arg("run").args(["--memory-max", &expect.memory.limit_bytes.to_string(), "--store"]).arg(store).arg("--");
        run.arg(at("resource-service")).args(["-listen", &address, "-config"]).arg(at("config.json"));
        let (out, err) = (fs::File::create(at(&format!("{life}.out")))?, fs::File::create(at(&format!("{life}.err")))?);
        run.stdin(Stdio::null()).stdout(out).stderr(err);
        Ok(Ended(run.spawn().with_context(|| lastgasp.display().to_string())?))
    };
    let load = |rate: u32| -> Result<Ended> {
        let url = format!("http://{address}{}", expect.load.path);
        let timeout = format!("{}s", expect.load.request_timeout_seconds);
        let mut load = Command::new(programs.loadgen());
        load.args(["-url", &url, "-rate", &rate.to_string(), "-timeout", &timeout, "-duration", "600s"]);
        Ok(Ended(load.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?))
    };
    let ended = |life: &str, run: &mut Child| -> Result<Life> {
        let said = |kind: &str| fs::read_to_string(at(&format!("{life}.{kind}"))).unwrap_or_default();
        let until = Instant::now() + after;
        while Instant::now() < until {
            if let Some(status) = run.try_wait()? {
                return Ok(Life { code: status.code(), stdout: said("out"), stderr: said("err") });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the {life} life of the service did not end: {}{}", said("out"), said("err"))
    };
    let mut run = start("first")?;
    wait_for(&address, &mut run.0, &at("first.err"))?;
    let _load = load(expect.load.rate_per_second)?;
    std::thread::sleep(calm);
    publish(programs, &at("config.json"), expect.config.ids_burst)?;
    let first = ended("first", &mut run.0)?;
    // They have waited for it, and are there as soon as it is.
    let _retries = load(RETRIES)?;
    let mut run = start("second")?;
    let second = ended("second", &mut run.0)?;
    Ok([first, second])
}
