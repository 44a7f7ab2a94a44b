//! Processes of a world, each in its group.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::groups::Group;

/// The shell enters the groups, says how willing it is to be killed, and becomes the program: nothing of ours
/// runs between fork and exec. A willingness below our own takes a right that root in a container lacks.
const ENTER: &str = r#"[ "$1" = - ] || echo "$1" >/proc/self/oom_score_adj || exit 124; shift; while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@""#;

/// How a process is started.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub(super) program: &'a Path,
    pub(super) args: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) group: &'a Group,
    /// How willing the kernel is to kill it, if that is not as of ours.
    pub(super) oom_score_adj: Option<i32>,
    /// File that takes what it says.
    pub(super) log: &'a Path,
}

impl<'a> Start<'a> {
    pub(super) fn new(program: &'a Path, group: &'a Group, log: &'a Path) -> Self {
        Self { program, args: Vec::new(), environment: BTreeMap::new(), group, oom_score_adj: None, log }
    }

    pub(super) fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(super) fn spawn(self) -> Result<Child> {
        let log: File = OpenOptions::new().create(true).append(true).open(self.log)?;
        let mut command = Command::new("sh");
        let score = self.oom_score_adj.map_or_else(|| "-".to_owned(), |s| s.to_string());
        command.args(["-c", ENTER, "sh", &score]).args(self.group.dirs()).arg("--").arg(self.program).args(&self.args);
        // Go's settings of whoever plays are none of the world's.
        for name in ["GOGC", "GOMEMLIMIT", "GODEBUG", "GOMAXPROCS", "GOTRACEBACK"] {
            command.env_remove(name);
        }
        command.envs(&self.environment).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C is for us alone: we end them in the right order.
        command.process_group(0);
        command.spawn().with_context(|| self.program.display().to_string())
    }
}

/// Asks a process to end, and makes it end if it does not within a time.
pub(super) fn end(child: &mut Child, patience: Duration) {
    let pid = Pid::from_raw(child.id() as i32);
    if child.try_wait().ok().flatten().is_none() {
        let _ = kill(pid, Signal::SIGTERM);
    }
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if child.try_wait().ok().flatten().is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// So many ports of the loopback address that nobody listens on, all different.
pub(super) fn free_ports(n: usize) -> Result<Vec<u16>> {
    let held: Vec<TcpListener> = (0..n).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<_>>()?;
    Ok(held.iter().map(|l| l.local_addr().map(|a| a.port())).collect::<std::io::Result<_>>()?)
}

/// Waits until a port is listened on.
pub(super) fn wait_for(what: &str, port: u16, child: &mut Child, log: &Path, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        let said = || {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
        };
        if let Some(status) = child.try_wait()? {
            bail!("{what} ended at once ({status}): {}", said());
        }
        if Instant::now() > deadline {
            bail!("{what} does not listen on port {port} after {} s: {}", patience.as_secs(), said());
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}
