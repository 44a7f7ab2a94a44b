//! Memory cgroups, version 1 and 2: where a process is, what limits apply. Kernel:
//! `Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/memory.rst`.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where the hierarchies are mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    /// Version 1 memory controller.
    pub memory_v1: Option<PathBuf>,
    /// Version 2; on hybrid systems without the memory controller, but with `cgroup.freeze`.
    pub unified: Option<PathBuf>,
    /// Whether version 2 has the memory controller.
    pub memory_v2: bool,
}

impl Mounts {
    /// Reads `/proc/self/mounts`.
    #[must_use]
    pub fn detect() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/mounts").unwrap_or_default(), |p| {
            fs::read_to_string(p.join("cgroup.controllers")).unwrap_or_default()
        })
    }

    /// Parses `/proc/self/mounts`; `controllers` reads what a folder's `cgroup.controllers` says.
    pub fn parse(mounts: &str, controllers: impl Fn(&Path) -> String) -> Self {
        let mut out = Self::default();
        for line in mounts.lines() {
            let f: Vec<&str> = line.split(' ').collect();
            let (Some(path), Some(kind), Some(options)) = (f.get(1), f.get(2), f.get(3)) else {
                continue;
            };
            match *kind {
                "cgroup" if options.split(',').any(|o| o == "memory") => out.memory_v1 = Some(PathBuf::from(path)),
                "cgroup2" => out.unified = Some(PathBuf::from(path)),
                _ => {}
            }
        }
        out.memory_v2 =
            out.unified.as_deref().is_some_and(|p| controllers(p).split_whitespace().any(|c| c == "memory"));
        out
    }
}

/// The path of the memory controller's group in the text of `/proc/PID/cgroup`, in version 2 or 1.
#[must_use]
pub fn memory_path(text: &str, v2: bool) -> Option<String> {
    text.lines().find_map(|l| {
        let mut f = l.splitn(3, ':');
        let (id, controllers, path) = (f.next()?, f.next()?, f.next()?);
        let hit = if v2 { id == "0" && controllers.is_empty() } else { controllers.split(',').any(|c| c == "memory") };
        hit.then(|| path.to_owned())
    })
}

/// A process's memory cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Folder of the memory controller.
    pub memory: PathBuf,
    /// Whether that is version 2.
    pub v2: bool,
    /// Folder in the unified hierarchy, for the freezer; only in a group of our own.
    pub freezer: Option<PathBuf>,
    /// Path below the mount, as `/proc/PID/cgroup` says it.
    pub path: String,
    /// Root of the memory hierarchy.
    root: PathBuf,
}

/// What is charged to a group and those below it, in bytes (`memory.stat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// All.
    pub usage: u64,
    /// Anonymous memory (with shared anonymous memory in `shmem`).
    pub anon: u64,
    /// Page cache of files, mapped or not.
    pub file: u64,
    /// tmpfs and shared anonymous memory.
    pub shmem: u64,
    /// Page tables, as far as they are told apart (v2).
    pub page_tables: u64,
    /// Kernel memory in all: page tables, kernel stacks, slab, per-cpu data, socket buffers.
    pub kernel: u64,
}

/// A value of a v1 limit file at or over this means "no limit" (PAGE_COUNTER_MAX, rounded).
const NO_LIMIT_V1: u64 = 1 << 62;

impl Cgroup {
    /// The memory cgroup of a process.
    #[must_use]
    pub fn of(pid: i32, mounts: &Mounts) -> Option<Self> {
        // A group's name may be any bytes: its folder is opened by those, and its path is shown as text.
        let text = bytes_as_chars(&fs::read(format!("/proc/{pid}/cgroup")).ok()?);
        let find = |v2: bool| memory_path(&text, v2);
        let (root, path, v2) = match (&mounts.memory_v1, mounts.memory_v2) {
            (Some(root), _) if find(false).is_some() => (root, find(false)?, false),
            (_, true) => (mounts.unified.as_ref()?, find(true)?, true),
            _ => return None,
        };
        let bytes = chars_as_bytes(&path);
        let memory = root.join(OsStr::from_bytes(bytes.get(path.chars().take_while(|c| *c == '/').count()..)?));
        let path = String::from_utf8_lossy(&bytes).into_owned();
        // In a container's cgroup namespace the path is not below what is mounted.
        let memory = if memory.is_dir() { memory } else { root.clone() };
        Some(Self { memory, v2, freezer: None, path, root: root.clone() })
    }

    /// A folder that stands for a version 2 group.
    #[cfg(test)]
    pub(crate) fn at(memory: PathBuf, root: PathBuf) -> Self {
        Self { memory, v2: true, freezer: None, path: String::new(), root }
    }

    /// Bytes charged now.
    #[must_use]
    pub fn usage(&self) -> Option<u64> {
        read_number(&self.usage_file())
    }

    /// Where the charge stands.
    #[must_use]
    pub fn usage_file(&self) -> PathBuf {
        self.memory.join(self.name("memory.usage_in_bytes", "memory.current"))
    }

    /// Where the limit stands.
    #[must_use]
    pub fn limit_file(&self) -> PathBuf {
        self.memory.join(self.name("memory.limit_in_bytes", "memory.max"))
    }

    /// Where the limit of memory and swap together stands, or that of swap (v2); absent where swap accounting
    /// is off.
    #[must_use]
    pub fn swap_limit_file(&self) -> PathBuf {
        self.memory.join(self.name("memory.memsw.limit_in_bytes", "memory.swap.max"))
    }

    /// Where OOM kills are counted.
    #[must_use]
    pub fn events_file(&self) -> PathBuf {
        self.memory.join(self.name("memory.oom_control", "memory.events"))
    }

    /// What a limit file says, if that is a limit.
    pub(crate) fn as_limit(bytes: u64) -> Option<u64> {
        Some(bytes).filter(|b| *b < NO_LIMIT_V1)
    }

    /// This group and those above it, innermost first.
    pub fn levels(&self) -> impl Iterator<Item = Self> {
        self.above().map(|dir| Self { memory: dir.to_owned(), ..self.clone() })
    }

    /// Bytes of page cache that the kernel would drop before it kills, by the text of `memory.stat`: of
    /// files, active or not; shared memory is not among them.
    pub(crate) fn droppable_in(&self, stat: &str) -> u64 {
        let keys =
            if self.v2 { ["inactive_file ", "active_file "] } else { ["total_inactive_file ", "total_active_file "] };
        keys.iter().filter_map(|k| stat.lines().find_map(|l| l.strip_prefix(k)?.trim().parse::<u64>().ok())).sum()
    }

    /// What is charged to the group, and for what; `None` if it is gone.
    #[must_use]
    pub fn charge(&self) -> Option<Charge> {
        let stat = fs::read_to_string(self.memory.join("memory.stat")).ok()?;
        let of = |key: &str| -> u64 {
            stat.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok()).unwrap_or(0)
        };
        let usage = self.usage()?;
        Some(if self.v2 {
            Charge {
                usage,
                anon: of("anon"),
                file: of("file").saturating_sub(of("shmem")),
                shmem: of("shmem"),
                page_tables: of("pagetables"),
                // `kernel` (5.18 and newer) is the sum; before it, of its parts.
                kernel: of("kernel")
                    .max(of("kernel_stack") + of("pagetables") + of("slab") + of("percpu") + of("sock")),
            }
        } else {
            let kernel = read_number(&self.memory.join("memory.kmem.usage_in_bytes")).unwrap_or(0);
            let shmem = of("total_shmem");
            Charge {
                usage,
                anon: of("total_rss"),
                file: of("total_cache").saturating_sub(shmem),
                shmem,
                page_tables: 0,
                kernel,
            }
        })
    }

    /// The tightest memory limit of this group and those above it, up to but without `ancestor` (v2).
    #[must_use]
    pub fn limit_below(&self, ancestor: &Path) -> Option<u64> {
        let below = self.above().take_while(|d| *d != ancestor);
        below.filter_map(|d| read_number(&d.join("memory.max"))).min()
    }

    /// Processes in the group.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.memory.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|l| l.parse().ok()).collect()
    }

    /// Its folder and those of the groups above it, innermost first.
    pub fn above(&self) -> impl Iterator<Item = &Path> {
        self.memory.ancestors().take_while(|d| d.starts_with(&self.root))
    }

    /// Root of the memory hierarchy.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn name(&self, v1: &'static str, v2: &'static str) -> &'static str {
        if self.v2 { v2 } else { v1 }
    }
}

/// A number for the groups that a process is in, all of them: whoever is in the same has the same. In a
/// container processes of one number (root's, or the one that a common base image has) are everybody's, and
/// it is their group that tells them apart. Of one that is gone it is that of no group.
#[must_use]
pub fn groups_number(pid: i32) -> u64 {
    let mut hasher = DefaultHasher::new();
    fs::read(format!("/proc/{pid}/cgroup")).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// Each byte as a character, so that lines and words are found in what is no text.
fn bytes_as_chars(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

/// The bytes that [`bytes_as_chars`] was given.
fn chars_as_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

fn read_number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_text_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(chars_as_bytes(&bytes_as_chars(&bytes)), bytes);
        let path = memory_path(&bytes_as_chars(b"4:memory:/a/\xff\xe6\x97\xa5\n0::/b\n"), false).unwrap();
        assert_eq!(chars_as_bytes(&path), b"/a/\xff\xe6\x97\xa5");
    }

    /// A process in a group of such a name is found there.
    #[test]
    fn a_group_whose_name_is_no_text() {
        let mounts = Mounts::detect();
        let Some(root) = mounts.memory_v1.as_ref().or(mounts.unified.as_ref()) else { return println!("SKIPPED") };
        let name = [format!("lastgasp-name-{}-", std::process::id()).as_bytes(), b"\xff\xfe"].concat();
        let folder = root.join(OsStr::from_bytes(&name));
        if let Err(e) = fs::create_dir(&folder) {
            return println!("SKIPPED: {e}");
        }
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(folder.join("cgroup.procs"), child.id().to_string()).unwrap();
        let found = Cgroup::of(child.id() as i32, &mounts);
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_dir(&folder).unwrap();
        let found = found.unwrap();
        assert!(found.memory == folder && found.path.ends_with('\u{fffd}'), "{found:?}");
    }

    #[test]
    fn mounts_of_a_hybrid_and_of_a_unified_system() {
        let hybrid = "tmpfs /sys/fs/cgroup tmpfs ro 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0\n\
                      cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\n";
        let m = Mounts::parse(hybrid, |_| String::new());
        assert_eq!(m.memory_v1.as_deref(), Some(Path::new("/sys/fs/cgroup/memory")));
        assert!(m.unified.is_some() && !m.memory_v2);
        let unified = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        let m = Mounts::parse(unified, |_| "cpuset cpu io memory pids\n".into());
        assert!(m.memory_v2 && m.memory_v1.is_none());
    }

    /// A make-believe v2 tree: the tightest limit counts, `max` does not.
    #[test]
    fn limits_at_every_level_count() {
        let root = tempfile::tempdir().unwrap();
        let leaf = root.path().join("pod/container");
        fs::create_dir_all(&leaf).unwrap();
        fs::write(leaf.join("memory.max"), "max\n").unwrap();
        fs::write(leaf.join("memory.current"), "4096\n").unwrap();
        fs::write(leaf.join("memory.stat"), "anon 1\ninactive_file 77\nactive_file 3\n").unwrap();
        fs::write(root.path().join("pod/memory.max"), "1000000\n").unwrap();
        let c =
            Cgroup { memory: leaf, v2: true, freezer: None, path: "/pod/container".into(), root: root.path().into() };
        let limits: Vec<u64> = c.levels().filter_map(|l| Cgroup::as_limit(read_number(&l.limit_file())?)).collect();
        assert_eq!(limits, [1_000_000]);
        let stat = fs::read_to_string(c.memory.join("memory.stat")).unwrap();
        assert_eq!((c.usage(), c.droppable_in(&stat)), (Some(4096), 80));
        assert_eq!(c.limit_below(root.path()), Some(1_000_000));
    }
}
