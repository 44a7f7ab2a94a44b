//! The process: functions, allocation sites, goroutines, laid out in memory.

use lastgasp_inferior::{Addr, Memory, ReadCause, ReadError};

use crate::flavour::Flavour;
use crate::layout::{Offsets, put};
use crate::pointed::{ancestors, label_map, label_set};
use crate::tables::{CODE, Function, TEXT, Tables, return_address};

/// Allocations and frees of one cycle, in objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Objects allocated.
    pub allocs: u64,
    /// Objects freed.
    pub frees: u64,
}

/// An allocation stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Indices of functions, innermost first.
    pub stack: Vec<usize>,
    /// Bytes of one of its objects.
    pub size: u64,
    /// Published counts: `memRecord.active`.
    pub active: Record,
    /// The cycles in the making: `memRecord.future`.
    pub future: [Record; 3],
}

/// A goroutine to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goroutine {
    /// `goid`: its number.
    pub goid: u64,
    /// `atomicstatus`: 1 runnable, 2 running, 3 in a system call, 4 waiting (`runtime2.go`).
    pub status: u32,
    /// Number of the wait reason.
    pub wait_reason: u8,
    /// Indices of functions, innermost first; the last should be a top frame.
    pub stack: Vec<usize>,
    /// Profiler labels: key and value.
    pub labels: Vec<(&'static str, &'static str)>,
    /// Its ancestors (`GODEBUG=tracebackancestors=N`), the nearest first: number and stack.
    pub ancestors: Vec<(u64, Vec<usize>)>,
}

/// Where things stand, for building a `Runtime` by hand. Tables are (address, length in their own unit).
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// First byte of code: `moduledata.text`.
    pub text: Addr,
    /// First byte behind the code: `moduledata.etext`.
    pub etext: Addr,
    /// `pcHeader`: start of pclntab.
    pub pc_header: Addr,
    /// `moduledata.funcnametab`, in bytes.
    pub funcnametab: (Addr, u64),
    /// `moduledata.cutab`, in words of 4 bytes.
    pub cutab: (Addr, u64),
    /// `moduledata.filetab`, in bytes.
    pub filetab: (Addr, u64),
    /// `moduledata.pctab`, in bytes.
    pub pctab: (Addr, u64),
    /// `moduledata.pclntable`, in bytes.
    pub pclntable: (Addr, u64),
    /// `moduledata.ftab`, in entries, its end marker included.
    pub ftab: (Addr, u64),
    /// `moduledata.gofunc`: base of funcdata.
    pub gofunc: Addr,
    /// First of the variables.
    pub variables: Addr,
    /// `runtime.mbuckets`: head of the list of buckets.
    pub mbuckets: Addr,
    /// `runtime.mProfCycle`: cycle and flushed bit.
    pub mprof_cycle: Addr,
    /// `runtime.MemProfileRate`: bytes per sample.
    pub mem_profile_rate: Addr,
    /// `runtime.allglen`: number of goroutines.
    pub allglen: Addr,
    /// `runtime.allgptr`: the list of goroutines.
    pub allgptr: Addr,
    /// `runtime.allm`: head of the list of threads.
    pub allm: Addr,
    /// `runtime.gcphase`: 0, the GC is off.
    pub gcphase: Addr,
    /// `runtime.gcController`: the pacer's state.
    pub gc_controller: Addr,
    /// `runtime.memstats`: statistics of memory.
    pub memstats: Addr,
    /// `runtime.mheap_`: the heap.
    pub mheap: Addr,
    /// Type descriptors and their names, in bytes.
    pub types: (Addr, u64),
}

/// A process in memory.
#[derive(Clone, Debug)]
pub struct Process {
    /// (address, bytes), by address.
    pub(crate) regions: Vec<(u64, Vec<u8>)>,
    /// Where things stand.
    pub at: Addresses,
}

pub(crate) const TABLES: u64 = 0x50_0000;
pub(crate) const VARIABLES: u64 = 0x60_0000;
/// Bytes in which all variables stand.
pub(crate) const VARIABLES_LEN: u64 = 0x2_0000;
const GC_CONTROLLER: u64 = VARIABLES + 0x1000;
const MEMSTATS: u64 = VARIABLES + 0x2000;
const MHEAP: u64 = VARIABLES + 0x8000;
const BUCKETS: u64 = 0x7f00_0000_0000;
const GOROUTINES: u64 = 0xc0_0000_0000;
const STACKS: u64 = 0xc0_1000_0000;
const STACK: u64 = 2048;
const POINTED: u64 = 0xc0_2000_0000;

/// Functions of a process: (name, first line, frame size, whether stacks begin there, what is inlined into
/// its second half).
pub type FunctionSpec<'a> = (&'a str, u32, u32, bool, Option<&'a str>);

impl Process {
    /// Builds a process.
    #[must_use]
    pub fn build(flavour: Flavour, functions: &[FunctionSpec<'_>], sites: &[Site], goroutines: &[Goroutine]) -> Self {
        let functions: Vec<Function> = functions
            .iter()
            .map(|(name, line, frame, top, inlines)| Function {
                name: (*name).into(),
                line: *line,
                frame: *frame,
                top: *top,
                inlines: inlines.map(str::to_owned),
            })
            .collect();
        let mut p = Self { regions: Vec::new(), at: Addresses::default() };
        p.tables(&Tables::of(&functions));
        p.at.text = Addr(TEXT);
        p.at.etext = Addr(TEXT + u64::from(CODE) * functions.len() as u64);
        p.code(&functions);
        p.variables(&flavour.offsets());
        p.buckets(&flavour.offsets(), flavour, sites);
        p.goroutines(&flavour.offsets(), flavour, &functions, goroutines);
        p.regions.sort_by_key(|r| r.0);
        p
    }

    /// Overwrites bytes anywhere: each pair is a place and a value. Small regions are hit as often as large
    /// ones.
    pub fn damage(&mut self, hits: &[(u32, u8)]) {
        let n = self.regions.len().max(1);
        for (place, value) in hits {
            let (region, at) = (*place as usize % n, *place as usize / n);
            if let Some((_, bytes)) = self.regions.get_mut(region) {
                let len = bytes.len().max(1);
                if let Some(b) = bytes.get_mut(at % len) {
                    *b = *value;
                }
            }
        }
    }

    /// An address that means something: `place` counts regions first, then words in them.
    #[must_use]
    pub fn address(&self, place: u32) -> Addr {
        let n = self.regions.len().max(1);
        let (region, at) = (place as usize % n, place as usize / n);
        let Some((start, bytes)) = self.regions.get(region) else { return Addr::NULL };
        Addr(start + (at % (bytes.len() / 8).max(1) * 8) as u64)
    }

    /// Overwrites one word.
    pub fn overwrite(&mut self, at: Addr, value: u64) {
        self.set(at, value);
    }

    fn tables(&mut self, t: &Tables) {
        let mut next = TABLES;
        let mut place = |bytes: &[u8]| {
            let at = next;
            next += bytes.len().next_multiple_of(64) as u64;
            self.regions.push((at, bytes.to_vec()));
            Addr(at)
        };
        let pc_header = place(&[0; 72]);
        let funcnametab = (place(&t.funcnametab), t.funcnametab.len() as u64);
        let cutab = (place(&t.cutab), t.cutab.len() as u64 / 4);
        let filetab = (place(&t.filetab), t.filetab.len() as u64);
        let pctab = (place(&t.pctab), t.pctab.len() as u64);
        let pclntable = (place(&t.pclntable), t.pclntable.len() as u64);
        let gofunc = place(&t.gofunc);
        // pcHeader (`runtime/symtab.go`): magic, instruction quantum 1, pointers of 8 bytes, then offsets
        // from here.
        let offset = |table: (Addr, u64)| table.0.0 - pc_header.0;
        let mut header = vec![0; 72];
        put(&mut header, 0, 0x0801_0000_ffff_fff1);
        put(&mut header, 8, t.functions);
        put(&mut header, 16, 1);
        for (i, table) in [funcnametab, cutab, filetab, pctab, pclntable].into_iter().enumerate() {
            put(&mut header, 32 + i * 8, offset(table));
        }
        self.replace(pc_header, header);
        self.at = Addresses {
            pc_header,
            funcnametab,
            cutab,
            filetab,
            pctab,
            pclntable,
            ftab: (pclntable.0, t.functions + 1),
            gofunc,
            ..self.at
        };
    }

    /// Code of 64 bytes for each function; those that name the runtime's variables in every Go program do so
    /// here.
    fn code(&mut self, functions: &[Function]) {
        let mut text = vec![0xcc; functions.len() * CODE as usize];
        for (i, f) in functions.iter().enumerate() {
            let mut at = i * CODE as usize;
            for (lea, variable) in operands_of(&f.name) {
                // mov rax,[rip+d] or lea rcx,[rip+d]
                let next = TEXT + at as u64 + 7;
                let code: [u8; 3] = if *lea { [0x48, 0x8d, 0x0d] } else { [0x48, 0x8b, 0x05] };
                let displacement = (variable.wrapping_sub(next) as u32).to_le_bytes();
                for (b, v) in text.iter_mut().skip(at).zip(code.into_iter().chain(displacement)) {
                    *b = v;
                }
                at += 7;
            }
        }
        self.regions.push((TEXT, text));
    }

    fn variables(&mut self, o: &Offsets) {
        let slot = |i: u64| Addr(VARIABLES + i * 8);
        self.at = Addresses {
            variables: slot(0),
            mbuckets: slot(0),
            mprof_cycle: slot(1),
            mem_profile_rate: slot(2),
            allglen: slot(3),
            allgptr: slot(4),
            allm: slot(5),
            gcphase: slot(6),
            gc_controller: Addr(GC_CONTROLLER),
            memstats: Addr(MEMSTATS),
            mheap: Addr(MHEAP),
            ..self.at
        };
        self.regions.push((VARIABLES, vec![0; 64]));
        self.regions.push((VARIABLES + 0x3000, vec![0; 256]));
        // Cycle 4, flushed; rate 1: no un-sampling.
        self.set(slot(1), 4 << 1 | 1);
        self.set(slot(2), 1);
        let mut controller = vec![0; 320];
        put(&mut controller, 0, 100);
        put(&mut controller, 8, i64::MAX as u64);
        self.regions.push((GC_CONTROLLER, controller));
        self.regions.push((MEMSTATS, vec![0; 3 * o.heap_stats as usize]));
        self.regions.push((MEMSTATS + o.stacks_sys, vec![0; 48]));
        self.regions.push((MEMSTATS + o.numgc, vec![0; 24]));
    }

    /// Puts bytes over those of a region.
    fn replace(&mut self, at: Addr, bytes: Vec<u8>) {
        if let Some(r) = self.regions.iter_mut().find(|r| r.0 == at.0) {
            r.1 = bytes;
        }
    }

    pub(crate) fn set(&mut self, at: Addr, value: u64) {
        for (start, bytes) in &mut self.regions {
            let Some(skip) = at.0.checked_sub(*start).map(|s| s as usize) else {
                continue;
            };
            if let Some(b) = bytes.get_mut(skip..skip + 8) {
                b.copy_from_slice(&value.to_le_bytes());
                return;
            }
        }
    }

    fn buckets(&mut self, o: &Offsets, flavour: Flavour, sites: &[Site]) {
        let mut next = 0u64;
        let mut at = BUCKETS;
        for site in sites {
            let mut b = vec![0; 48];
            put(&mut b, 8, next);
            put(&mut b, 16, 1);
            put(&mut b, 32, site.size);
            put(&mut b, 40, site.stack.len() as u64);
            for f in &site.stack {
                b.extend(return_address(*f).0.to_le_bytes());
            }
            let record = b.len();
            b.resize(record + o.record_size, 0);
            let mut cycle = |offset: usize, r: Record| {
                put(&mut b, record + offset, r.allocs);
                put(&mut b, record + offset + 8, r.frees);
                if flavour == Flavour::Go22 {
                    put(&mut b, record + offset + 16, r.allocs * site.size);
                    put(&mut b, record + offset + 24, r.frees * site.size);
                }
            };
            cycle(0, site.active);
            for (i, r) in site.future.iter().enumerate() {
                cycle(o.future + i * o.cycle, *r);
            }
            next = at;
            at += b.len() as u64;
            self.regions.push((next, b));
        }
        self.set(self.at.mbuckets, next);
    }

    fn goroutines(&mut self, o: &Offsets, flavour: Flavour, functions: &[Function], goroutines: &[Goroutine]) {
        let array = GOROUTINES;
        let first_g = GOROUTINES + 0x10_0000;
        let m = GOROUTINES + 0xf_0000;
        let mut pointers = Vec::new();
        let mut lo = STACKS;
        for (i, g) in goroutines.iter().enumerate() {
            let at = first_g + (i * o.g_size.next_multiple_of(32)) as u64;
            pointers.extend(at.to_le_bytes());
            let (stack, sp, pc) = stack_of(functions, &g.stack, lo);
            let hi = lo + stack.len() as u64;
            let mut b = vec![0; o.g_size];
            put(&mut b, 0, lo);
            put(&mut b, 8, hi);
            put(&mut b, 48, m);
            put(&mut b, 56, sp);
            put(&mut b, 64, pc);
            put(&mut b, o.syscall_sp, sp);
            put(&mut b, o.syscall_sp + 8, pc);
            put(&mut b, o.status, u64::from(g.status));
            put(&mut b, o.goid, g.goid);
            put(&mut b, o.wait_since, 0);
            put(&mut b, o.wait_reason, u64::from(g.wait_reason));
            put(&mut b, o.parent, 1);
            put(&mut b, o.gopc, return_address(0).0);
            put(&mut b, o.startpc, g.stack.last().map_or(0, |f| TEXT + *f as u64 * u64::from(CODE)));
            let place = POINTED + i as u64 * 0x1_0000;
            if !g.labels.is_empty() {
                let bytes =
                    if flavour == Flavour::Go22 { label_map(place, &g.labels) } else { label_set(place, &g.labels) };
                self.regions.push((place, bytes));
                put(&mut b, o.labels, place);
            }
            if !g.ancestors.is_empty() {
                let place = place + 0x8000;
                self.regions.push((place, ancestors(place, &g.ancestors)));
                put(&mut b, o.ancestors, place);
            }
            self.regions.push((at, b));
            self.regions.push((lo, stack));
            lo = hi;
        }
        let mut thread = vec![0; o.m_size];
        put(&mut thread, o.procid, 4711);
        put(&mut thread, o.alllink, 0);
        self.regions.push((m, thread));
        self.regions.push((array, pointers));
        self.set(self.at.allglen, goroutines.len() as u64);
        self.set(self.at.allgptr, array);
        self.set(self.at.allm, m);
    }
}

/// What the runtime's functions name, in order: whether by LEA, and the variable. Seen in the machine code of
/// Go 1.22 and 1.27.
fn operands_of(function: &str) -> &'static [(bool, u64)] {
    const BUCKETS_HEAD: u64 = VARIABLES;
    const CYCLE: u64 = VARIABLES + 8;
    const RATE: u64 = VARIABLES + 16;
    const GLEN: u64 = VARIABLES + 24;
    const GPTR: u64 = VARIABLES + 32;
    const ALLM: u64 = VARIABLES + 40;
    const PHASE: u64 = VARIABLES + 48;
    // Lists of finalizers and cleanups that are due; both are empty.
    const FINALIZERS: (bool, u64) = (false, VARIABLES + 0x3000);
    const CLEANUPS: u64 = VARIABLES + 0x3010;
    /// `gcCleanups.all`, 128 bytes into it in Go 1.27.
    const ALL_CLEANUPS: (bool, u64) = (false, CLEANUPS + 128);
    const OTHER: (bool, u64) = (true, TABLES);
    match function {
        "runtime.mProf_FlushLocked" => &[(false, BUCKETS_HEAD)],
        "runtime.mProf_Flush" | "runtime.mProf_Free" | "runtime.mProf_PostSweep" => &[(false, CYCLE)],
        "runtime.allocmcache" => &[(true, TABLES), (false, MHEAP), (false, RATE)],
        "runtime.forEachGRace" => &[(false, GLEN), (false, GPTR)],
        "runtime.mexit" => &[(false, GLEN), (true, TABLES), (false, TABLES), (true, ALLM)],
        "runtime.allocmcache.func1" => &[(false, BUCKETS_HEAD), (true, MHEAP)],
        "runtime.gcControllerCommit" => &[(true, MHEAP), (true, GC_CONTROLLER)],
        "runtime.(*mcache).allocLarge" => &[(true, GC_CONTROLLER), (true, MEMSTATS)],
        "runtime.gcSweep" => &[(false, PHASE)],
        "runtime.freeSomeWbufs" => &[(true, MHEAP), (false, PHASE)],
        "runtime.markroot" => &[OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, FINALIZERS, ALL_CLEANUPS],
        "runtime.queuefinalizer" => &[OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, FINALIZERS],
        "runtime.(*activeSweep).end" => {
            const LIST: (bool, u64) = (true, CLEANUPS);
            &[OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, LIST]
        }
        _ => &[],
    }
}

/// A stack with the frames of `calls`, innermost first, as large as they need; its SP and PC.
fn stack_of(functions: &[Function], calls: &[usize], lo: u64) -> (Vec<u8>, u64, u64) {
    let frame = |f: &usize| functions.get(*f).map_or(0, |f| u64::from(f.frame));
    let used: u64 = calls.iter().map(|f| frame(f) + 8).sum();
    let mut bytes = vec![0; (used + 64).next_power_of_two().max(STACK) as usize];
    let mut sp = lo + bytes.len() as u64 - used - 64;
    let start = sp;
    for pair in calls.windows(2) {
        if let [inner, outer] = pair {
            let slot = sp + frame(inner);
            put(&mut bytes, (slot - lo) as usize, return_address(*outer).0);
            sp = slot + 8;
        }
    }
    (bytes, start, calls.first().map_or(0, |f| return_address(*f).0))
}

impl Memory for Process {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        let i = self.regions.partition_point(|r| r.0 <= addr.0).checked_sub(1).ok_or(error)?;
        let (start, bytes) = self.regions.get(i).ok_or(error)?;
        let skip = (addr.0 - start) as usize;
        let end = skip.checked_add(buf.len()).ok_or(error)?;
        buf.copy_from_slice(bytes.get(skip..end).ok_or(error)?);
        Ok(())
    }
}
