//! Memory cgroups, version 1 and 2: where a process is, what limits apply, a group of its own. Kernel: `Documentation/admin-guide/cgroup-v2.rst`,
//! `cgroup-v1/memory.rst`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, Statfs, statfs};

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
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let find = |v2: bool| memory_path(&text, v2);
        let (root, path, v2) = match (&mounts.memory_v1, mounts.memory_v2) {
            (Some(root), _) if find(false).is_some() => (root, find(false)?, false),
            (_, true) => (mounts.unified.as_ref()?, find(true)?, true),
            _ => return None,
        };
        let memory = root.join(path.trim_start_matches('/'));
        // In a container's cgroup namespace the path is not below what is mounted.
        let memory = if memory.is_dir() { memory } else { root.clone() };
        Some(Self { memory, v2, freezer: None, path, root: root.clone() })
    }

    /// Bytes charged now.
    #[must_use]
    pub fn usage(&self) -> Option<u64> {
        read_number(&self.usage_file())
    }

    /// Where the charge stands.
    pub(crate) fn usage_file(&self) -> PathBuf {
        self.memory.join(self.name("memory.usage_in_bytes", "memory.current"))
    }

    /// Where the limit stands.
    pub(crate) fn limit_file(&self) -> PathBuf {
        self.memory.join(self.name("memory.limit_in_bytes", "memory.max"))
    }

    /// Where OOM kills are counted.
    pub(crate) fn events_file(&self) -> PathBuf {
        self.memory.join(self.name("memory.oom_control", "memory.events"))
    }

    /// What a limit file says, if that is a limit.
    pub(crate) fn as_limit(bytes: u64) -> Option<u64> {
        Some(bytes).filter(|b| *b < NO_LIMIT_V1)
    }

    /// This group and those above it, innermost first.
    pub(crate) fn levels(&self) -> impl Iterator<Item = Self> {
        self.above().map(|dir| Self { memory: dir.to_owned(), ..self.clone() })
    }

    /// Bytes of page cache that the kernel would drop before it kills, by the text of `memory.stat`: of files, active or not; shared memory is not among them.
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
    fn limit_below(&self, ancestor: &Path) -> Option<u64> {
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
    fn above(&self) -> impl Iterator<Item = &Path> {
        self.memory.ancestors().take_while(|d| d.starts_with(&self.root))
    }

    fn name(&self, v1: &'static str, v2: &'static str) -> &'static str {
        if self.v2 { v2 } else { v1 }
    }
}

fn read_number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// A group that we made; see [`crate::journal`] for how it is removed when we cannot.
#[derive(Debug)]
pub struct OwnCgroup {
    /// The group.
    pub cgroup: Cgroup,
    dirs: Vec<PathBuf>,
}

impl OwnCgroup {
    /// Makes a group `name` below our own (v1) or below the nearest group that hands the memory controller down (v2), and sets the limit.
    ///
    /// # Errors
    /// The system's error, with the file in its text. Nothing is left behind. On v2 also a limit of ours that does not hold for the new group.
    pub fn create(mounts: &Mounts, name: &str, limit: Option<u64>) -> io::Result<Self> {
        let own = Self::beside(mounts)?;
        let parent = parent_of_new(&own)?;
        if own.v2 {
            none_is_left_behind(&own, &parent)?;
        }
        Self::below(own, &parent, mounts, name, limit)
    }

    /// Makes a group for one process that will be dead in seconds: with the limit `limit` it matters nothing which other limits of ours do not hold for it. A systemd
    /// unit always has one (`TasksMax`), and beside it no group could be made for anything (`case_systemd` of lab/vm).
    ///
    /// # Errors
    /// The system's error, with the file in its text. Nothing is left behind.
    pub fn create_for_a_moment(mounts: &Mounts, name: &str, limit: u64) -> io::Result<Self> {
        let own = Self::beside(mounts)?;
        let parent = parent_of_new(&own)?;
        Self::below(own, &parent, mounts, name, Some(limit))
    }

    fn below(own: Cgroup, parent: &Path, mounts: &Mounts, name: &str, limit: Option<u64>) -> io::Result<Self> {
        let limit = limit.into_iter().chain(if own.v2 { own.limit_below(parent) } else { None }).min();
        let memory = parent.join(name);
        let mut made = Self { cgroup: Cgroup { memory: memory.clone(), freezer: None, ..own }, dirs: Vec::new() };
        made.make(&memory)?;
        if made.cgroup.v2 {
            made.cgroup.freezer = Some(memory.clone());
        } else if let Some(dir) = freezer_of_new(mounts, name) {
            // Without it the target is stopped by ptrace instead.
            if made.make(&dir).is_ok() {
                made.cgroup.freezer = Some(dir);
            }
        }
        made.cgroup.path = format!("/{}", memory.strip_prefix(&made.cgroup.root).unwrap_or(&memory).display());
        if let Some(limit) = limit {
            let file = memory.join(made.cgroup.name("memory.limit_in_bytes", "memory.max"));
            write(&file, &limit.to_string())?;
            // With swap a limit would push the evidence out instead of ending the process; absent where swap accounting is off.
            let swap = memory.join(made.cgroup.name("memory.memsw.limit_in_bytes", "memory.swap.max"));
            let _ = write(&swap, &if made.cgroup.v2 { "0".to_owned() } else { limit.to_string() });
        }
        Ok(made)
    }

    /// The folders that [`OwnCgroup::create_for_a_moment`] is about to make: for whoever removes them should we be killed in between.
    ///
    /// # Errors
    /// The system's error: there is no place for a group.
    pub fn planned(mounts: &Mounts, name: &str) -> io::Result<Vec<PathBuf>> {
        let own = Self::beside(mounts)?;
        let freezer = if own.v2 { None } else { freezer_of_new(mounts, name) };
        Ok([parent_of_new(&own)?.join(name)].into_iter().chain(freezer).collect())
    }

    /// Our own group.
    fn beside(mounts: &Mounts) -> io::Result<Cgroup> {
        Cgroup::of(std::process::id() as i32, mounts)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no memory cgroup controller is mounted"))
    }

    /// All folders that were made.
    #[must_use]
    pub fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    fn make(&mut self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir).map_err(|e| with_path(dir, &e))?;
        self.dirs.push(dir.to_owned());
        Ok(())
    }
}

impl OwnCgroup {
    /// Removes the folders; gives whether all are gone. Those that still hold processes stay.
    #[must_use]
    pub fn remove(mut self) -> bool {
        let dirs = std::mem::take(&mut self.dirs);
        // Every one is tried, also behind one that stays.
        dirs.iter().rev().filter(|d| !remove_when_empty(d)).count() == 0
    }
}

impl Drop for OwnCgroup {
    /// For errors on the way: nothing is left behind.
    fn drop(&mut self) {
        for dir in self.dirs.iter().rev() {
            remove_when_empty(dir);
        }
    }
}

/// Removes a cgroup's folder. The kernel refuses with EBUSY for a moment after its last process has ended.
pub fn remove_when_empty(dir: &Path) -> bool {
    for _ in 0..50 {
        match fs::remove_dir(dir) {
            Ok(()) => return true,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return true,
            Err(_) if fs::read_to_string(dir.join("cgroup.procs")).is_ok_and(|p| p.trim().is_empty()) => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            Err(_) => return false,
        }
    }
    false
}

/// Where a new group is made.
fn parent_of_new(own: &Cgroup) -> io::Result<PathBuf> {
    if own.v2 { v2_parent(own) } else { Ok(own.memory.clone()) }
}

/// The freezer's folder of a new group whose memory is of version 1: below our own group of version 2.
fn freezer_of_new(mounts: &Mounts, name: &str) -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = text.lines().find_map(|l| l.strip_prefix("0::/")).unwrap_or_default();
    Some(mounts.unified.as_ref()?.join(own).join(name))
}

/// The nearest group at or above ours whose children have the memory controller. On v2 a group that holds processes cannot hand controllers down, so this is
/// mostly a group above ours, and ours stands beside the new one. Controllers are not switched on for this: that would change other people's groups.
fn v2_parent(own: &Cgroup) -> io::Result<PathBuf> {
    let hands_down = |d: &Path| {
        fs::read_to_string(d.join("cgroup.subtree_control")).is_ok_and(|t| t.split_whitespace().any(|c| c == "memory"))
    };
    own.above().find(|d| hands_down(d)).map(Path::to_owned).ok_or_else(|| {
        io::Error::new(io::ErrorKind::PermissionDenied, "no cgroup above ours hands down the memory controller")
    })
}

/// Limits of our groups below `parent` do not hold for a new one there. Memory's is taken along; for a service any other is a reason to make no group.
fn none_is_left_behind(own: &Cgroup, parent: &Path) -> io::Result<()> {
    for dir in own.above().take_while(|d| *d != parent) {
        for file in ["cpu.max", "pids.max", "memory.high"] {
            if fs::read_to_string(dir.join(file)).is_ok_and(|t| !t.trim().is_empty() && !t.starts_with("max")) {
                let why = format!("a group beside {} would leave its {file} behind", dir.display());
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
        }
    }
    Ok(())
}

/// Whether a file is of a cgroup file system: nothing else is ever written or removed.
pub(crate) fn is_of_cgroup_fs(file: &Path) -> bool {
    statfs(file).is_ok_and(|s| is_cgroup(&s))
}

/// Whether that file system is one of cgroups.
pub(crate) fn is_cgroup(fs: &Statfs) -> bool {
    [CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].contains(&fs.filesystem_type())
}

/// Puts the calling process into the groups at `dirs`.
///
/// # Errors
/// The system's error, with the file in its text.
pub fn enter(dirs: &[PathBuf]) -> io::Result<()> {
    dirs.iter().try_for_each(|d| write(&d.join("cgroup.procs"), "0"))
}

pub(crate) fn write(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text).map_err(|e| with_path(file, &e))
}

fn with_path(file: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::counts;

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

    #[test]
    fn what_is_planned_is_what_is_made() {
        let (mounts, name) = (Mounts::detect(), format!("lastgasp-planned-{}", std::process::id()));
        let planned = OwnCgroup::planned(&mounts, &name);
        match OwnCgroup::create(&mounts, &name, None) {
            Ok(group) => {
                let planned = planned.unwrap();
                assert!(group.dirs().iter().all(|d| planned.contains(d)), "{planned:?}, {:?}", group.dirs());
                assert!(group.remove());
            }
            Err(e) => println!("SKIPPED: {e}"),
        }
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
        fs::write(leaf.join("memory.events"), "low 0\noom 2\noom_kill 1\n").unwrap();
        fs::write(root.path().join("pod/memory.max"), "1000000\n").unwrap();
        let c =
            Cgroup { memory: leaf, v2: true, freezer: None, path: "/pod/container".into(), root: root.path().into() };
        let limits: Vec<u64> = c.levels().filter_map(|l| Cgroup::as_limit(read_number(&l.limit_file())?)).collect();
        assert_eq!(limits, [1_000_000]);
        let stat = fs::read_to_string(c.memory.join("memory.stat")).unwrap();
        assert_eq!((c.usage(), c.droppable_in(&stat)), (Some(4096), 80));
        let counted = counts(&fs::File::open(c.events_file()).unwrap()).unwrap();
        assert_eq!((counted.kills, counted.ooms), (1, 2));
        assert_eq!(c.limit_below(root.path()), Some(1_000_000));
    }
}
