//! A tenant: programs of a user without rights, and what stands behind them.

use std::any::Any;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use lastgasp_observe::target::open;
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use tempfile::TempDir;

use super::super::daemon::stage;

/// nobody.
const USER: u32 = 65_534;

/// Where ways are tried.
pub(super) struct Setting {
    /// The name of all that the daemon is to look at.
    pub(super) service: String,
    folder: TempDir,
    hostile: PathBuf,
}

impl Setting {
    pub(super) fn new(service: &str, hostile: &Path) -> Result<Self> {
        let folder = stage()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        // The tenant cannot look into the folder of the victim's programs.
        let own = folder.path().join("go").join(service);
        std::fs::create_dir_all(own.parent().context("a folder")?)?;
        std::fs::copy(hostile, &own)?;
        Ok(Self { service: service.to_owned(), folder, hostile: own })
    }

    /// A path for an executable of that way, with the name that is watched.
    pub(super) fn path(&self, way: &str) -> PathBuf {
        self.folder.path().join(way).join(&self.service)
    }

    /// The same with a name of its own, which begins as the one that is watched.
    pub(super) fn folder(&self, way: &str) -> PathBuf {
        self.folder.path().join(way)
    }

    /// The Go program that makes of itself what is wanted.
    pub(super) fn hostile(&self) -> &Path {
        &self.hostile
    }
}

/// Processes of a try, and what they need; ended when dropped.
#[derive(Default)]
pub(super) struct Tried {
    children: Vec<Child>,
    kept: Vec<Box<dyn Any>>,
}

impl Tried {
    /// Starts an executable as the tenant.
    pub(super) fn start(&mut self, program: &Path, args: &[&str]) -> Result<&mut Child> {
        let child = Command::new(program)
            .args(args)
            .uid(USER)
            .gid(USER)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        self.children.push(child);
        self.children.last_mut().context("just pushed")
    }

    /// The Go program, as the tenant; gives its number and the address that it says.
    pub(super) fn go(&mut self, setting: &Setting, args: &[&str]) -> Result<(i32, u64)> {
        let child = self.start(setting.hostile(), args)?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().context("its output")?).read_line(&mut line)?;
        Ok((child.id() as i32, line.trim().parse().with_context(|| format!("it said {line:?}"))?))
    }

    /// Keeps something for as long as the try.
    pub(super) fn keep(&mut self, what: impl Any) {
        self.kept.push(Box::new(what));
    }
}

impl Drop for Tried {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
        }
        // Storage that does not answer, first: who waits for it cannot end before.
        self.kept.clear();
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

/// A variable of a Go runtime.
#[derive(Clone, Copy)]
pub(super) enum Variable {
    Goroutines,
    Buckets,
}

/// Has a variable of a Go process's runtime lead somewhere else: what the process may do to itself.
pub(super) fn lead(pid: i32, variable: Variable, at: u64) -> Result<()> {
    let (_, runtime) = open(pid, &RuntimeCache::in_memory())?;
    let place = match variable {
        Variable::Goroutines => runtime.globals.allgptr,
        Variable::Buckets => runtime.globals.mbuckets,
    };
    let mem = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/mem"))?;
    Ok(mem.write_all_at(&at.to_le_bytes(), place.0)?)
}
