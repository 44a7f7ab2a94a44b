//! `lab/programs/oracle`, running: a Go program that knows its own numbers and stands still.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::build::{Mode, build, cache_dir, repo_root};
use crate::toolchain::Toolchain;

/// The program; ended when dropped.
#[derive(Debug)]
pub struct Oracle {
    child: Child,
    dir: TempDir,
}

impl Oracle {
    /// Builds and starts it; returns when it stands still.
    ///
    /// # Errors
    /// It could not be built, or ended early.
    pub fn start(toolchain: &Toolchain, mode: Mode) -> Result<Self> {
        let built = Self::build(toolchain, mode)?;
        if mode == Mode::CShared {
            let mut command = Command::new(host()?);
            command.arg(built);
            Self::start_oracle(command)
        } else {
            Self::start_binary(&built)
        }
    }

    /// Builds it.
    ///
    /// # Errors
    /// What the compiler said.
    pub fn build(toolchain: &Toolchain, mode: Mode) -> Result<PathBuf> {
        build(toolchain, mode, &repo_root().join("lab/programs/oracle"), ".")
    }

    /// Builds another program of the lab that prints READY and runs until its input ends, given by its
    /// folder, and starts it.
    ///
    /// # Errors
    /// As [`Oracle::start`].
    pub fn start_program(toolchain: &Toolchain, mode: Mode, folder: &str) -> Result<Self> {
        Self::start_program_with(toolchain, mode, folder, &[], "")
    }

    /// As that, with arguments, and `GODEBUG` if it is not empty.
    ///
    /// # Errors
    /// As [`Oracle::start`].
    pub fn start_program_with(
        toolchain: &Toolchain,
        mode: Mode,
        folder: &str,
        args: &[&str],
        godebug: &str,
    ) -> Result<Self> {
        let mut command = Command::new(build(toolchain, mode, &repo_root().join(folder), ".")?);
        command.args(args);
        if !godebug.is_empty() {
            command.env("GODEBUG", godebug);
        }
        Self::start_command(command)
    }

    /// Starts a binary that was built before.
    ///
    /// # Errors
    /// It ended early.
    pub fn start_binary(binary: &Path) -> Result<Self> {
        Self::start_oracle(Command::new(binary))
    }

    fn start_oracle(mut command: Command) -> Result<Self> {
        command.arg("truth.json");
        Self::start_command(command)
    }

    /// Starts a binary that leaves a core file in its folder when it is sent SIGABRT, and of which no
    /// goroutine runs.
    ///
    /// # Errors
    /// It ended early.
    pub fn start_still(binary: &Path) -> Result<Self> {
        Self::start_still_with(binary, "")
    }

    /// As that, with `GODEBUG` if it is not empty.
    ///
    /// # Errors
    /// As [`Oracle::start`].
    pub fn start_still_with(binary: &Path, godebug: &str) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$0\" truth.json 2>/dev/null"]).arg(binary);
        command.env("ORACLE_STILL", "1").env("GOTRACEBACK", "crash");
        if !godebug.is_empty() {
            command.env("GODEBUG", godebug);
        }
        Self::start_command(command)
    }

    fn start_command(mut command: Command) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut child = command.current_dir(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
        if !line.starts_with("READY") {
            child.kill()?;
            bail!("the oracle said {line:?} and ended: {}", child.wait()?);
        }
        wait_for_rest(child.id());
        Ok(Self { child, dir })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Its working folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// The system's error.
    pub fn wait(&mut self) -> Result<std::process::ExitStatus> {
        // `wait` would close its input, upon which it ends of its own accord.
        let input = self.child.stdin.take();
        let status = self.child.wait()?;
        drop(input);
        Ok(status)
    }

    /// Ends it by SIGABRT, upon which one that was started by [`Oracle::start_still`] leaves a core file in
    /// its folder.
    ///
    /// # Errors
    /// The system's error.
    pub fn abort(&mut self) -> Result<std::process::ExitStatus> {
        let status = Command::new("kill").args(["-ABRT", &self.child.id().to_string()]).status()?;
        if !status.success() {
            bail!("kill: {status}");
        }
        self.wait()
    }

    /// What it says of itself, as JSON.
    ///
    /// # Errors
    /// The system's error.
    pub fn truth(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.dir.path().join("truth.json"))?)
    }

    /// Its `runtime.MemStats`, as JSON.
    ///
    /// # Errors
    /// The system's error.
    pub fn mem_stats(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.dir.path().join("truth.json.stats"))?)
    }
}

/// Waits until one of its threads reads its input, which it does when it has said that it is ready: between
/// the two its first goroutine moves, and a copy of it then is of no moment. (Seen with Go 1.25 and 1.27 on a
/// busy machine: "goroutine 1: main.observe is not on its stack".) Who never reads is not waited for longer
/// than a second.
pub(crate) fn wait_for_rest(pid: u32) {
    /// `read(0, ...` as `/proc/PID/task/TID/syscall` has it; 63 is arm64's number.
    const READING: [&str; 2] = ["0 0x0 ", "63 0x0 "];
    let reads = |tid: &Path| {
        let call = std::fs::read_to_string(tid.join("syscall")).unwrap_or_default();
        READING.iter().any(|r| call.starts_with(r))
    };
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
        if tasks.is_ok_and(|tasks| tasks.flatten().any(|t| reads(&t.path()))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The C program that loads the oracle as a library, compiled.
fn host() -> Result<PathBuf> {
    let out = cache_dir().join("bin/oracle-host");
    std::fs::create_dir_all(cache_dir().join("bin"))?;
    // Tests run side by side: each compiles under a name of its own and puts it into place whole.
    let own = out.with_extension(format!("{}-{:?}", std::process::id(), std::thread::current().id()));
    let mut cc = Command::new("cc");
    cc.arg("-O1").arg("-o").arg(&own).arg(repo_root().join("lab/programs/oracle/host/host.c")).arg("-ldl");
    let result = cc.output().context("cc: a C compiler and C library headers are needed (packages gcc, libc6-dev)")?;
    if !result.status.success() {
        bail!("cc: {}", String::from_utf8_lossy(&result.stderr));
    }
    std::fs::rename(&own, &out)?;
    Ok(out)
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
