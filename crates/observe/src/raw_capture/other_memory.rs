//! Memory of a target beside the evidence, kept where a person asks for it: its own pages (heap, variables,
//! stacks), not those of files. Which pages there are is asked of the kernel first: of memory that was never
//! touched, or is swapped out, nothing is read, for that would cost the target memory. What was never touched
//! is zeros, and is kept as that.

use lastgasp_goruntime::{Gap, free_pages};
use lastgasp_inferior::{
    Access, AddrRange, CoreFile, LiveProcess, Mapping, Memory, PageMap, Ranges, Wanted, parse_maps,
};

use super::raw::RawCapture;
use super::stored::WhenRead;

/// A piece of memory that is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The addresses.
    pub range: AddrRange,
    /// What it may be used for.
    pub access: Access,
}

/// Memory that is to be kept.
pub struct OtherMemory<'a> {
    /// Where it is read.
    pub memory: &'a dyn Memory,
    /// Which.
    pub regions: Vec<Region>,
    /// Which of it is known to be zeros: pages that were never touched. (Objects of fresh memory that nothing
    /// was written to yet have such; without them the heap of victoria-metrics had no graph.)
    pub zeros: Vec<Region>,
    /// When it is read.
    pub read: WhenRead,
    /// The memory map, for debuggers; empty if it is not known.
    pub mappings: Vec<Mapping>,
    /// The auxiliary vector, for debuggers; empty if it is not known.
    pub auxv: Vec<u8>,
    /// Asked before every read; a target may end, and time too.
    pub go_on: &'a dyn Fn() -> bool,
    /// What is known not to be among the regions.
    pub gaps: Vec<Gap>,
}

/// The files that tell which memory a process has, opened while it lives: they tell it as long as its address
/// space is held.
#[derive(Debug)]
pub struct MemoryMap {
    page_map: PageMap,
    maps: std::fs::File,
    auxv: Vec<u8>,
}

impl MemoryMap {
    /// Opens them.
    ///
    /// # Errors
    /// The system's error: it has ended.
    pub fn open(process: &LiveProcess) -> std::io::Result<Self> {
        let auxv = process.auxiliary_vector().unwrap_or_default();
        Ok(Self { page_map: process.page_map()?, maps: process.maps_file()?, auxv })
    }

    /// The mappings now; of a process that was reaped there are none.
    fn mappings(&self) -> Vec<Mapping> {
        use std::os::unix::fs::FileExt as _;
        let mut text = Vec::new();
        let mut piece = vec![0; 64 << 10];
        while let Ok(n) = self.maps.read_at(&mut piece, text.len() as u64) {
            text.extend_from_slice(piece.get(..n).unwrap_or_default());
            if n == 0 || text.len() > MAX_MAPS {
                break;
            }
        }
        parse_maps(&String::from_utf8_lossy(&text))
    }
}

/// Longest memory map that is read, in bytes: the kernel allows some 65,000 mappings.
const MAX_MAPS: usize = 16 << 20;
/// Largest mapping that is looked through page by page where the kernel does not say how much of it is
/// resident.
const MAX_UNKNOWN: u64 = 256 << 30;
/// Mappings of the kernel's own.
const OF_KERNEL: [&str; 4] = ["[vvar]", "[vvar_vclock]", "[vdso]", "[vsyscall]"];

impl<'a> OtherMemory<'a> {
    /// That of a process, which may run or be dead and held. `map` was opened while it lived.
    #[must_use]
    pub fn of_process(
        process: &'a LiveProcess,
        map: &MemoryMap,
        raw: &RawCapture,
        read: WhenRead,
        go_on: &'a dyn Fn() -> bool,
    ) -> Self {
        let mut gaps = Vec::new();
        let lives = matches!(read, WhenRead::Running | WhenRead::Still);
        let resident = if lives { process.residency() } else { None };
        let mut mappings: Vec<(Mapping, u64)> = match resident {
            Some(resident) => resident.into_iter().map(|r| (r.mapping, r.rss)).collect(),
            None => map.mappings().into_iter().map(|m| (m, u64::MAX)).collect(),
        };
        let listed: Vec<Mapping> = mappings.iter().map(|(m, _)| m.clone()).collect();
        if mappings.is_empty() {
            mappings = without_a_map(raw).into_iter().map(|m| (m, u64::MAX)).collect();
            gaps.push(Gap::new(
                "memory.core",
                "the memory map was gone: the Go heap and the program's variables alone were looked for",
            ));
        }
        let (mut regions, mut swapped, mut unread, mut unreached) = (Vec::new(), 0, 0, 0);
        let mut anonymous = Vec::new();
        for (m, rss) in mappings {
            let too_large = rss == u64::MAX && m.range.len() > MAX_UNKNOWN;
            if !m.readable || rss == 0 || OF_KERNEL.contains(&m.path.as_str()) {
                continue;
            }
            if too_large || !go_on() {
                unreached += m.range.len();
                continue;
            }
            // Of the program's variables, pages that were never written are the executable's still.
            let variables = raw.runtime.module.variables;
            let of_program = m.writable && m.range.start < variables.end && variables.start < m.range.end;
            let wanted = if of_program { Wanted::All } else { Wanted::Own };
            match map.page_map.pages(m.range, wanted, rss) {
                Ok(pages) => {
                    let access = Access::of(&m);
                    regions.extend(pages.present.into_iter().map(|range| Region { range, access }));
                    swapped += pages.swapped;
                    if m.inode == 0 && m.writable {
                        anonymous.push(Region { range: m.range, access });
                    }
                }
                Err(_) => unread += m.range.len(),
            }
        }
        // What the Go heap has free is nobody's. Of a process that runs it may be somebody's a moment later,
        // and is not of this moment then.
        let free = free_pages(&raw.runtime, process);
        let regions = match &free {
            Some(free) => without(&regions, free),
            None => regions,
        };
        let held =
            Ranges::union(regions.iter().map(|r| r.range).chain(free.iter().flat_map(|f| f.as_slice().to_vec())));
        // Of the dead the kernel takes pages away meanwhile (`oom_reaper`), which then look as if they had
        // never been touched.
        let zeros = if lives { untouched(map, &without(&anonymous, &held), go_on) } else { Vec::new() };
        let zeros = if process.is_alive() { zeros } else { Vec::new() };
        if swapped > 0 {
            gaps.push(Gap::new("memory.core", format!("{swapped} bytes of memory: swapped out, and not read back")));
        }
        if unreached > 0 {
            let why = format!("{unreached} bytes of address space: not looked through before the end");
            gaps.push(Gap::new("memory.core", why));
        }
        if unread > 0 {
            gaps.push(Gap::new("memory.core", format!("{unread} bytes of address space: the page map was gone")));
        }
        Self { memory: process, regions, zeros, read, mappings: listed, auxv: map.auxv.clone(), go_on, gaps }
    }

    /// That of a core file: all that it holds.
    #[must_use]
    pub fn of_core(core: &'a CoreFile, read: WhenRead, go_on: &'a dyn Fn() -> bool) -> Self {
        let regions = core.ranges().map(|range| Region { range, access: Access::ReadWrite }).collect();
        Self {
            memory: core,
            regions,
            zeros: Vec::new(),
            read,
            mappings: Vec::new(),
            auxv: Vec::new(),
            go_on,
            gaps: Vec::new(),
        }
    }

    /// The regions of one kind.
    pub(super) fn of(&self, access: Access) -> Ranges {
        Ranges::union(self.regions.iter().filter(|r| r.access == access).map(|r| r.range))
    }

    /// What of that kind is zeros.
    pub(super) fn zeros_of(&self, access: Access) -> Ranges {
        Ranges::union(self.zeros.iter().filter(|r| r.access == access).map(|r| r.range))
    }
}

/// Most of one piece of anonymous memory that is asked for what was never touched, in bytes: the entries of a
/// gigabyte are two megabytes.
const MAX_ASKED: u64 = 16 << 30;

/// What of pieces of anonymous memory was never touched. Where it cannot be told it is not kept.
fn untouched(map: &MemoryMap, pieces: &[Region], go_on: &dyn Fn() -> bool) -> Vec<Region> {
    let mut zeros = Vec::new();
    for Region { range, access } in pieces.iter().filter(|r| r.range.len() <= MAX_ASKED) {
        if !go_on() {
            break;
        }
        let found = map.page_map.untouched(*range).unwrap_or_default();
        zeros.extend(found.into_iter().map(|range| Region { range, access: *access }));
    }
    zeros
}

/// What of regions is not in `free`.
fn without(regions: &[Region], free: &Ranges) -> Vec<Region> {
    let cut = |access: Access| {
        let all = Ranges::union(regions.iter().filter(|r| r.access == access).map(|r| r.range));
        all.minus(free).as_slice().iter().map(|range| Region { range: *range, access }).collect::<Vec<_>>()
    };
    [Access::ReadWrite, Access::Read, Access::ReadExecute].into_iter().flat_map(cut).collect()
}

/// Where the Go heap and variables are, as far as the evidence tells.
fn without_a_map(raw: &RawCapture) -> Vec<Mapping> {
    let arenas = raw.spans.iter().flat_map(|s| s.table.arenas.iter().copied());
    let mapping = |range| Mapping {
        range,
        readable: true,
        writable: true,
        executable: false,
        offset: 0,
        inode: 0,
        path: String::new(),
    };
    arenas.chain([raw.runtime.module.variables]).map(mapping).collect()
}
