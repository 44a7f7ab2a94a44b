//! The Debian packages of a world: found, or installed without starting any service of theirs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::progress::Progress;

/// Programs with the packages that they come in.
const WANTED: [(&str, &str); 3] = [("haproxy", "haproxy"), ("etcd", "etcd-server"), ("prometheus", "prometheus")];
/// Who says whether a package may start services as it is installed (Debian's invoke-rc.d).
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Where they are.
#[derive(Clone, Debug)]
pub struct Packages {
    pub(super) haproxy: PathBuf,
    pub(super) etcd: PathBuf,
    pub(super) prometheus: PathBuf,
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    folders.map(|f| f.join(program)).find(|p| p.is_file())
}

/// Names of packages that are missing.
#[must_use]
pub fn missing() -> Vec<&'static str> {
    WANTED.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect()
}

impl Packages {
    /// Finds them; installs what is missing.
    ///
    /// # Errors
    /// They cannot be installed: the command that does it by hand is said.
    pub fn ready(progress: &Progress) -> Result<Self> {
        let lacking = missing();
        if !lacking.is_empty() {
            progress.set("installing", lacking.join(", "));
            install(&lacking)
                .with_context(|| format!("by hand: apt-get install --no-install-recommends {}", lacking.join(" ")))?;
            progress.done("installing", &format!("installed {}", lacking.join(", ")));
        }
        let at = |program| find(program).with_context(|| format!("no {program} on PATH"));
        Ok(Self { haproxy: at("haproxy")?, etcd: at("etcd")?, prometheus: at("prometheus")? })
    }
}

fn install(packages: &[&str]) -> Result<()> {
    // None of them is to run as a service: they have ports and folders of their own here.
    let policy = Path::new(POLICY);
    let ours = !policy.exists();
    if ours {
        std::fs::write(policy, "#!/bin/sh\nexit 101\n")?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(policy, mode)?;
    }
    let apt = |arguments: &[&str]| -> Result<()> {
        let out = Command::new("apt-get")
            .args(["-qq", "-o", "DPkg::Lock::Timeout=120"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()
            .context("apt-get")?;
        if !out.status.success() {
            bail!("apt-get {}: {}", arguments.join(" "), String::from_utf8_lossy(&out.stderr));
        }
        Ok(())
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    let done = apt(&install).or_else(|_| {
        apt(&["update"])?;
        apt(&install)
    });
    if ours {
        std::fs::remove_file(policy)?;
    }
    done
}
