//! The process: functions, allocation sites, goroutines, laid out in memory.

use lastgasp_inferior::{Addr, Memory, ReadCause, ReadError};

use crate::tables::{CODE, Function, Tables};

/// Whose structures are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Go 1.22: memory records with bytes.
    Go22,
    /// Go 1.27: memory records that count objects alone.
    Go27,
}

/// Offsets, typed in from the sources.
struct Offsets {
    g_size: usize,
    syscall_sp: usize,
    status: usize,
    goid: usize,
    wait_since: usize,
    wait_reason: usize,
    parent: usize,
    gopc: usize,
    startpc: usize,
    m_size: usize,
    procid: usize,
    alllink: usize,
    record_size: usize,
    future: usize,
    cycle: usize,
}

impl Flavour {
    fn offsets(self) -> Offsets {
        match self {
            Self::Go22 => Offsets {
                g_size: 424,
                syscall_sp: 112,
                status: 144,
                goid: 152,
                wait_since: 168,
                wait_reason: 176,
                parent: 272,
                gopc: 280,
                startpc: 296,
                m_size: 2024,
                procid: 72,
                alllink: 328,
                record_size: 128,
                future: 32,
                cycle: 32,
            },
            Self::Go27 => Offsets {
                g_size: 456,
                syscall_sp: 104,
                status: 144,
                goid: 152,
                wait_since: 168,
                wait_reason: 176,
                parent: 280,
                gopc: 288,
                startpc: 304,
                m_size: 1832,
                procid: 64,
                alllink: 352,
                record_size: 64,
                future: 16,
                cycle: 16,
            },
        }
    }
}

/// Allocations and frees of one cycle, in objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Allocated.
    pub allocs: u64,
    /// Freed.
    pub frees: u64,
}

/// An allocation stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Indices of functions, innermost first.
    pub stack: Vec<usize>,
    /// Size of its objects.
    pub size: u64,
    /// Published.
    pub active: Record,
    /// The cycles in the making.
    pub future: [Record; 3],
}

/// A goroutine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goroutine {
    /// Number.
    pub goid: u64,
    /// `atomicstatus`.
    pub status: u32,
    /// Number of the wait reason.
    pub wait_reason: u8,
    /// Indices of functions, innermost first; the last should be a top frame.
    pub stack: Vec<usize>,
}

/// Where things stand, for building a `Runtime` by hand. Tables are (address, length in their own unit).
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// Code.
    pub text: Addr,
    /// End of code.
    pub etext: Addr,
    /// `funcnametab`.
    pub funcnametab: (Addr, u64),
    /// `cutab`.
    pub cutab: (Addr, u64),
    /// `filetab`.
    pub filetab: (Addr, u64),
    /// `pctab`.
    pub pctab: (Addr, u64),
    /// `pclntable`.
    pub pclntable: (Addr, u64),
    /// `ftab`, its end marker included.
    pub ftab: (Addr, u64),
    /// `gofunc`.
    pub gofunc: Addr,
    /// First of the variables.
    pub variables: Addr,
    /// `mbuckets`.
    pub mbuckets: Addr,
    /// `mProfCycle`.
    pub mprof_cycle: Addr,
    /// `MemProfileRate`.
    pub mem_profile_rate: Addr,
    /// `allglen`.
    pub allglen: Addr,
    /// `allgptr`.
    pub allgptr: Addr,
    /// `allm`.
    pub allm: Addr,
}

/// A process in memory.
#[derive(Clone, Debug)]
pub struct Process {
    /// (address, bytes), by address.
    regions: Vec<(u64, Vec<u8>)>,
    /// Where things stand.
    pub at: Addresses,
}

const TEXT: u64 = 0x40_0000;
const TABLES: u64 = 0x50_0000;
const VARIABLES: u64 = 0x60_0000;
const BUCKETS: u64 = 0x7f00_0000_0000;
const GOROUTINES: u64 = 0xc0_0000_0000;
const STACKS: u64 = 0xc0_1000_0000;
const STACK: u64 = 8192;
/// PC of the call inside a function, from its start; the return address is one more.
const CALL: u64 = 10;

/// Functions of a process: (name, first line, frame size, whether stacks begin there, what is inlined into its second half).
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
        p.variables();
        p.buckets(&flavour.offsets(), flavour, sites);
        p.goroutines(&flavour.offsets(), &functions, goroutines);
        p.regions.sort_by_key(|r| r.0);
        p
    }

    /// Overwrites bytes anywhere: each pair is a place (counted through all regions, wrapping) and a value.
    pub fn damage(&mut self, hits: &[(u32, u8)]) {
        let total: usize = self.regions.iter().map(|r| r.1.len()).sum();
        for (place, value) in hits {
            let mut at = *place as usize % total.max(1);
            for (_, bytes) in &mut self.regions {
                if let Some(b) = bytes.get_mut(at) {
                    *b = *value;
                    break;
                }
                at -= bytes.len();
            }
        }
    }

    /// Overwrites one word.
    pub fn overwrite(&mut self, at: Addr, value: u64) {
        self.set(at, value);
    }

    /// Return address of the call in a function: what stacks hold.
    #[must_use]
    pub fn return_address(function: usize) -> Addr {
        Addr(TEXT + function as u64 * u64::from(CODE) + CALL + 1)
    }

    fn tables(&mut self, t: &Tables) {
        let mut next = TABLES;
        let mut place = |bytes: &[u8]| {
            let at = next;
            next += bytes.len().next_multiple_of(64) as u64;
            self.regions.push((at, bytes.to_vec()));
            Addr(at)
        };
        let funcnametab = (place(&t.funcnametab), t.funcnametab.len() as u64);
        let cutab = (place(&t.cutab), t.cutab.len() as u64 / 4);
        let filetab = (place(&t.filetab), t.filetab.len() as u64);
        let pctab = (place(&t.pctab), t.pctab.len() as u64);
        let pclntable = (place(&t.pclntable), t.pclntable.len() as u64);
        let gofunc = place(&t.gofunc);
        self.at = Addresses {
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

    fn variables(&mut self) {
        let slot = |i: u64| Addr(VARIABLES + i * 8);
        self.at = Addresses {
            variables: slot(0),
            mbuckets: slot(0),
            mprof_cycle: slot(1),
            mem_profile_rate: slot(2),
            allglen: slot(3),
            allgptr: slot(4),
            allm: slot(5),
            ..self.at
        };
        self.regions.push((VARIABLES, vec![0; 64]));
        // Cycle 4, flushed; rate 1: no un-sampling.
        self.set(slot(1), 4 << 1 | 1);
        self.set(slot(2), 1);
    }

    fn set(&mut self, at: Addr, value: u64) {
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
                b.extend(Self::return_address(*f).0.to_le_bytes());
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

    fn goroutines(&mut self, o: &Offsets, functions: &[Function], goroutines: &[Goroutine]) {
        let array = GOROUTINES;
        let first_g = GOROUTINES + 0x10_0000;
        let m = GOROUTINES + 0xf_0000;
        let mut pointers = Vec::new();
        for (i, g) in goroutines.iter().enumerate() {
            let at = first_g + (i * o.g_size.next_multiple_of(32)) as u64;
            pointers.extend(at.to_le_bytes());
            let (lo, hi) = (STACKS + i as u64 * STACK, STACKS + (i as u64 + 1) * STACK);
            let (stack, sp, pc) = stack_of(functions, &g.stack, lo, hi);
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
            put(&mut b, o.gopc, Self::return_address(0).0);
            put(&mut b, o.startpc, g.stack.last().map_or(0, |f| TEXT + *f as u64 * u64::from(CODE)));
            self.regions.push((at, b));
            self.regions.push((lo, stack));
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

fn put(b: &mut [u8], at: usize, value: u64) {
    if let Some(w) = b.get_mut(at..at + 8) {
        w.copy_from_slice(&value.to_le_bytes());
    }
}

/// A stack with the frames of `calls`, innermost first; its SP and PC.
fn stack_of(functions: &[Function], calls: &[usize], lo: u64, hi: u64) -> (Vec<u8>, u64, u64) {
    let frame = |f: &usize| functions.get(*f).map_or(0, |f| u64::from(f.frame));
    let used: u64 = calls.iter().map(|f| frame(f) + 8).sum();
    let mut bytes = vec![0; STACK as usize];
    let mut sp = hi - used - 64;
    let start = sp;
    for pair in calls.windows(2) {
        if let [inner, outer] = pair {
            let slot = sp + frame(inner);
            put(&mut bytes, (slot - lo) as usize, Process::return_address(*outer).0);
            sp = slot + 8;
        }
    }
    (bytes, start, calls.first().map_or(0, |f| Process::return_address(*f).0))
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
