//! Finding Go processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use lastgasp_goruntime::{BuildInfo, Runtime};
use lastgasp_inferior::{ElfImage, mapped_files, start_time};

/// A process whose executable says that it is Go, or a library that it has loaded.
#[derive(Clone, Debug)]
pub struct GoProcess {
    /// Process number.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`.
    pub start_time: u64,
    /// Build information.
    pub build_info: BuildInfo,
    /// Whether it has no symbol table.
    pub stripped: bool,
}

/// Remembers executables by file, so that a hundred instances are parsed once.
#[derive(Debug, Default)]
pub struct Discoverer {
    known: BTreeMap<(u64, u64, i64), Option<(BuildInfo, bool)>>,
}

impl Discoverer {
    /// `Some` if `pid` runs a Go executable that we may read, or has loaded a Go library.
    pub fn go_process(&mut self, pid: i32) -> Option<GoProcess> {
        let start_time = start_time(pid)?;
        let exe = File::open(format!("/proc/{pid}/exe")).ok()?;
        let (build_info, stripped) = self.go_file(exe).or_else(|| {
            mapped_files(pid).iter().filter_map(|f| f.open().ok()).find_map(|library| self.go_file(library))
        })?;
        Some(GoProcess { pid, start_time, build_info, stripped })
    }

    /// Build information of a file, and whether it is stripped; `None` if it is not Go.
    fn go_file(&mut self, file: File) -> Option<(BuildInfo, bool)> {
        let meta = file.metadata().ok()?;
        let key = (meta.dev(), meta.ino(), meta.mtime());
        let known = self.known.entry(key).or_insert_with(|| {
            let image = ElfImage::open(file, "").ok()?;
            Some((Runtime::build_info(&image).ok()?, image.is_stripped()))
        });
        known.clone()
    }

    /// All Go processes of this machine that we may see, by number.
    pub fn all(&mut self) -> Vec<GoProcess> {
        let mut pids: Vec<i32> = std::fs::read_dir("/proc")
            .map(|d| d.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).collect())
            .unwrap_or_default();
        pids.sort_unstable();
        pids.into_iter().filter_map(|p| self.go_process(p)).collect()
    }
}

/// A process and all below it, by the kernel's `children` files.
#[must_use]
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(p) = all.get(next).copied() {
        next += 1;
        for tid in lastgasp_inferior::thread_ids(p) {
            let text = std::fs::read_to_string(format!("/proc/{p}/task/{tid}/children")).unwrap_or_default();
            all.extend(text.split_whitespace().filter_map(|c| c.parse::<i32>().ok()));
        }
        if all.len() > 4096 {
            break;
        }
    }
    all
}
