//! ConfigMaps that are mounted into a process's file system: kubelet lays each version into a folder of its
//! own and points the link `..data` at it. That it points elsewhere is a change; its time is the link's.
//!
//! Files are read to be counted, bounded, and opened so that no link leads out of the mount.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lastgasp_incident::evidence::UnixMs;
use lastgasp_store::events::Salt;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::fstatat;

use crate::changes::payload::{Measure, Measured};

/// Kubelet's name for the kind of a volume, in the paths of mounts.
const KIND: &str = "kubernetes.io~configmap";
const MAX_MOUNTINFO: u64 = 1 << 20;
const MAX_MOUNTS: usize = 32;
const MAX_FILES: usize = 64;
const MAX_FILE: u64 = 16 << 20;
/// When mounts are looked for again: a program finds them as it starts, so that new ones are rare, and the
/// kernel writes a list of all. After the first, each time after twice as long, up to the second.
const FIND: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(600));

/// A file of a ConfigMap that is another than it was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    /// Volume and file: `tabs/ugctab.json`.
    pub(super) key: String,
    /// Folder that `..data` points at.
    pub(super) version: String,
    pub(super) at_unix_ms: UnixMs,
    pub(super) before: Option<Measured>,
    pub(super) now: Measured,
}

/// Mounted ConfigMaps of a process.
#[derive(Debug, Default)]
pub(super) struct ConfigMaps {
    /// When mounts were looked for, and when they are again.
    found: Option<(Instant, Duration)>,
    mounts: Vec<Mount>,
    known: BTreeMap<PathBuf, Version>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    volume: String,
    /// Where it stands in the process's file system.
    point: PathBuf,
}

#[derive(Debug, Default)]
struct Version {
    folder: String,
    files: BTreeMap<String, Measured>,
}

impl ConfigMaps {
    /// What is another since the last look; `proc` is the process's folder in `/proc`.
    pub(super) fn look(&mut self, proc: &Path, salt: &Salt) -> Vec<Config> {
        if self.found.is_none_or(|(at, pause)| at.elapsed() >= pause) {
            let pause = self.found.map_or(FIND.0, |(_, pause)| (pause * 2).min(FIND.1));
            self.found = Some((Instant::now(), pause));
            let mut text = String::new();
            let read = File::open(proc.join("mountinfo")).and_then(|f| f.take(MAX_MOUNTINFO).read_to_string(&mut text));
            self.mounts = if read.is_ok() { config_mounts(&text) } else { Vec::new() };
        }
        let mut changed = Vec::new();
        for mount in &self.mounts {
            let Some(root) = File::open(proc.join("root")).ok() else { return changed };
            let known = self.known.entry(mount.point.clone()).or_default();
            changed.extend(known.look(&root, mount, salt).unwrap_or_default());
        }
        changed
    }
}

impl Version {
    fn look(&mut self, root: &File, mount: &Mount, salt: &Salt) -> nix::Result<Vec<Config>> {
        let point = mount.point.strip_prefix("/").unwrap_or(&mount.point);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let folder = openat2(root.as_fd(), point, OpenHow::new().flags(flags).resolve(inside))?;
        let target = readlinkat(&folder, "..data")?.to_string_lossy().into_owned();
        if target == self.folder {
            return Ok(Vec::new());
        }
        let link = fstatat(&folder, "..data", nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let at_unix_ms = link.st_mtime.saturating_mul(1000) + link.st_mtime_nsec / 1_000_000;
        let is_first = self.folder.is_empty();
        let now = files(&folder, salt)?;
        let mut changed = Vec::new();
        for (name, measured) in &now {
            let before = self.files.get(name);
            if !is_first && before != Some(measured) {
                changed.push(Config {
                    key: format!("{}/{name}", mount.volume),
                    version: target.clone(),
                    at_unix_ms,
                    before: before.cloned(),
                    now: measured.clone(),
                });
            }
        }
        *self = Self { folder: target, files: now };
        Ok(changed)
    }
}

/// Files of the version that is there now, measured.
fn files(mount: &OwnedFd, salt: &Salt) -> nix::Result<BTreeMap<String, Measured>> {
    let beneath = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = |flags: OFlag| OpenHow::new().flags(flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC).resolve(beneath);
    let folder = openat2(mount.as_fd(), "..data", how(OFlag::O_DIRECTORY))?;
    let mut all = BTreeMap::new();
    let mut names = Vec::new();
    // By the descriptor, and not by the path, which may lead elsewhere by now.
    let listed = fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    for entry in listed.map_err(|_| nix::errno::Errno::ENOENT)?.flatten().take(4 * MAX_FILES) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    for name in names.into_iter().take(MAX_FILES) {
        let path = Path::new("..data").join(&name);
        let Ok(file) = openat2(mount.as_fd(), &path, how(OFlag::O_NONBLOCK)) else { continue };
        let file = File::from(file);
        if !file.metadata().is_ok_and(|m: fs::Metadata| m.is_file()) {
            continue;
        }
        let (mut measure, mut piece) = (Measure::new(salt), vec![0; 16 << 10]);
        let mut reader = file.take(MAX_FILE);
        while let Ok(n) = reader.read(&mut piece) {
            if n == 0 {
                break;
            }
            measure.push(piece.get(..n).unwrap_or_default());
        }
        all.insert(name, measure.finish());
    }
    Ok(all)
}

/// ConfigMaps among the mounts of a process (`/proc/PID/mountinfo`).
fn config_mounts(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let mut fields = line.split(' ');
        let (root, point) = (fields.nth(3)?, fields.next()?);
        let whose = [root, point].into_iter().find(|p| p.contains(KIND))?;
        let volume = whose.split(KIND).nth(1)?.trim_start_matches('/').split('/').next()?;
        Some(Mount { volume: unescaped(volume), point: unescaped(point).into() })
    };
    mountinfo.lines().filter_map(mount).filter(|m| !m.volume.is_empty()).take(MAX_MOUNTS).collect()
}

/// Octal escapes of blanks and the like (`proc(5)`).
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn mounts_of_config_maps() {
        let text = "\
36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/root rw
1500 1400 253:1 /var/lib/kubelet/pods/0b1/volumes/kubernetes.io~configmap/tabs /etc/tabs\\040x ro,relatime - ext4 /dev/vda1 rw
1501 1400 253:1 /var/lib/kubelet/pods/0b1/volumes/kubernetes.io~secret/key /etc/key ro - tmpfs tmpfs rw
broken line
";
        assert_eq!(config_mounts(text), [Mount { volume: "tabs".into(), point: "/etc/tabs x".into() }]);
    }

    /// A folder as kubelet lays it.
    fn lay(mount: &Path, version: &str, ids: usize) {
        let folder = mount.join(version);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("ugctab.json"), format!("[{}]", vec!["1"; ids].join(","))).unwrap();
        fs::write(folder.join("same"), "x").unwrap();
        symlink("/etc/passwd", folder.join("outside")).unwrap();
        let _ = fs::remove_file(mount.join("..data"));
        symlink(version, mount.join("..data")).unwrap();
    }

    #[test]
    fn a_new_version_is_told_file_by_file() {
        let proc = tempfile::tempdir().unwrap();
        let mount = proc.path().join("root/etc/tabs");
        fs::create_dir_all(&mount).unwrap();
        fs::write(
            proc.path().join("mountinfo"),
            "1 2 3:4 /pods/0b1/volumes/kubernetes.io~configmap/tabs /etc/tabs ro - ext4 x rw\n",
        )
        .unwrap();
        lay(&mount, "..2026_11_26_1", 312);
        let salt = Salt::of(Path::new("/nonexistent"));
        let mut maps = ConfigMaps::default();
        assert_eq!(maps.look(proc.path(), &salt), [], "what is there at first is no change");
        assert_eq!(maps.look(proc.path(), &salt), []);
        lay(&mount, "..2026_11_26_2", 20_000);
        let changed = maps.look(proc.path(), &salt);
        assert_eq!(changed.len(), 1, "{changed:?}");
        let c = &changed[0];
        assert_eq!((c.key.as_str(), c.version.as_str()), ("tabs/ugctab.json", "..2026_11_26_2"));
        assert_eq!((c.before.as_ref().unwrap().elements, c.now.elements), (Some(312), Some(20_000)));
        assert!(c.at_unix_ms > 1_600_000_000_000);
        // Nothing outside of the mount is read.
        assert!(!maps.known.values().any(|v| v.files.contains_key("outside")));
        fs::remove_file(mount.join("..data")).unwrap();
        symlink("/etc", mount.join("..data")).unwrap();
        assert_eq!(maps.look(proc.path(), &salt), []);
    }
}
