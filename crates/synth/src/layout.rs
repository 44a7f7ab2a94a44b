//! Offsets of the runtime's structures, typed in by hand from the sources of Go 1.22 and 1.27 (linux/amd64).

use crate::flavour::Flavour;

/// Offsets in bytes.
pub(crate) struct Offsets {
    pub(crate) g_size: usize,
    pub(crate) syscall_sp: usize,
    pub(crate) status: usize,
    pub(crate) goid: usize,
    pub(crate) wait_since: usize,
    pub(crate) wait_reason: usize,
    pub(crate) parent: usize,
    pub(crate) ancestors: usize,
    pub(crate) gopc: usize,
    pub(crate) startpc: usize,
    pub(crate) labels: usize,
    pub(crate) m_size: usize,
    pub(crate) procid: usize,
    pub(crate) alllink: usize,
    pub(crate) record_size: usize,
    pub(crate) future: usize,
    pub(crate) cycle: usize,
    /// `memstats`: one generation of `heapStats`, `stacks_sys`, `numgc`.
    pub(crate) heap_stats: u64,
    pub(crate) stacks_sys: u64,
    pub(crate) numgc: u64,
    /// `moduledata`: size, `gofunc`, `etypes`.
    pub(crate) module_size: usize,
    pub(crate) gofunc: usize,
    pub(crate) etypes: usize,
}

impl Flavour {
    pub(crate) fn offsets(self) -> Offsets {
        match self {
            Self::Go22 => Offsets {
                g_size: 424,
                syscall_sp: 112,
                status: 144,
                goid: 152,
                wait_since: 168,
                wait_reason: 176,
                parent: 272,
                ancestors: 288,
                gopc: 280,
                startpc: 296,
                labels: 344,
                m_size: 2024,
                procid: 72,
                alllink: 328,
                record_size: 128,
                future: 32,
                cycle: 32,
                heap_stats: 1176,
                stacks_sys: 3544,
                numgc: 7704,
                module_size: 592,
                gofunc: 320,
                etypes: 304,
            },
            Self::Go27 => Offsets {
                g_size: 456,
                syscall_sp: 104,
                status: 144,
                goid: 152,
                wait_since: 168,
                wait_reason: 176,
                parent: 280,
                ancestors: 296,
                gopc: 288,
                startpc: 304,
                labels: 352,
                m_size: 1832,
                procid: 64,
                alllink: 352,
                record_size: 64,
                future: 16,
                cycle: 16,
                heap_stats: 1168,
                stacks_sys: 3520,
                numgc: 7680,
                module_size: 568,
                gofunc: 344,
                etypes: 312,
            },
        }
    }
}

/// Writes a word.
pub(crate) fn put(b: &mut [u8], at: usize, value: u64) {
    if let Some(w) = b.get_mut(at..at + 8) {
        w.copy_from_slice(&value.to_le_bytes());
    }
}
