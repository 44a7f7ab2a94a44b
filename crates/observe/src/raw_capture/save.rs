//! A capture to a sparse ELF core: the evidence, the binary's constants, and whatever else of the target's
//! memory a person wants to keep.
//!
//! The evidence wins wherever other memory was read of the same place later: of the moment of the copy is
//! what is decoded, and a debugger sees the same.

use std::cell::RefCell;
use std::io::{self, Seek, Write};

use lastgasp_goruntime::Gap;
use lastgasp_inferior::{
    Access, Added, Addr, AddrRange, Bounds, CoreProcess, CoreWriter, Cut, Mapping, Memory, Ranges, ReadError, Snapshot,
};

use super::describe::{describe, store_ranges};
use super::other_memory::OtherMemory;
use super::raw::RawCapture;
use super::stored::{StoredOther, StoredRanges, StoredV1, WhenRead};

/// Type of the note of ours that describes the capture (`stored.rs`).
pub const NOTE_DESCRIPTION: u32 = 0x4c47_0001;
/// Type of that with the CRC-32 of the description.
pub(super) const NOTE_CHECKSUM: u32 = 0x4c47_0002;

/// Pieces of evidence closer than this are kept with what stands between them, so that a core of a hundred
/// thousand goroutines has thousands of segments and not hundreds of thousands.
const WINDOW_GAP: u64 = 64 << 10;
const PAGE: u64 = 4096;
const ALL_ACCESS: [Access; 3] = [Access::ReadWrite, Access::Read, Access::ReadExecute];
/// Bytes of memory whose checksum is made at a time.
const CHUNK: u64 = 1 << 20;

/// What was saved.
#[derive(Debug)]
pub struct Saved<W> {
    /// Where to.
    pub out: W,
    /// Bytes of memory in it.
    pub bytes: u64,
    /// What of the memory that was to be kept is not in it.
    pub gaps: Vec<Gap>,
}

/// Evidence over other memory.
struct Over<'a> {
    evidence: &'a Snapshot,
    ranges: &'a Ranges,
    other: &'a dyn Memory,
}

impl Memory for Over<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        self.other.read(addr, buf)?;
        let end = addr.plus(buf.len() as u64);
        let first = self.ranges.as_slice().partition_point(|r| r.end <= addr);
        let near = self.ranges.as_slice().get(first..).unwrap_or_default().iter();
        for r in near.take_while(|r| r.start < end) {
            let part = AddrRange { start: r.start.max(addr), end: r.end.min(end) };
            let at = (part.start.0 - addr.0) as usize;
            if let Some(place) = buf.get_mut(at..at + part.len() as usize) {
                self.evidence.read(part.start, place)?;
            }
        }
        Ok(())
    }
}

/// Memory whose bytes are summed up as they are read, which for a [`CoreWriter`] is once and in order.
struct Summed<'a> {
    memory: &'a dyn Memory,
    sum: RefCell<crc32fast::Hasher>,
}

impl<'a> Summed<'a> {
    fn new(memory: &'a dyn Memory) -> Self {
        Self { memory, sum: RefCell::default() }
    }

    fn of(self, ranges: &Ranges) -> StoredRanges {
        StoredRanges { ranges: store_ranges(ranges), crc32: self.sum.into_inner().finalize() }
    }
}

impl Memory for Summed<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        self.memory.read(addr, buf)?;
        self.sum.borrow_mut().update(buf);
        Ok(())
    }
}

impl RawCapture {
    /// Writes it as a core from the start of `out`; at most `max_bytes` of memory, which bounds the other
    /// memory alone. `kernel` is the release of the kernel where it was taken. Syncing is the caller's
    /// business.
    ///
    /// # Errors
    /// The system's error: a full disk, most likely.
    pub fn save<W: Write + Seek>(
        &self,
        out: W,
        kernel: &str,
        other: Option<&OtherMemory<'_>>,
        max_bytes: u64,
    ) -> io::Result<Saved<W>> {
        let snapshot = &self.evidence.snapshot;
        let evidence = Ranges::union(snapshot.ranges());
        let (file, constants) = self.binary.constants(&self.runtime)?;
        // Who keeps all memory wants all of it understood, when the executable is long gone.
        let constants = match other {
            Some(_) => {
                let code = self.binary.code(&self.runtime)?;
                Ranges::union([constants.as_slice(), code.as_slice()].concat())
            }
            None => constants,
        };
        // Those tables that stand among variables (position-independent executables) are asked for
        // generously.
        let constants = constants.minus(&Ranges::union([self.runtime.module.variables]));
        let both = constants.and(&evidence);
        let mut groups = vec![StoredRanges { ranges: store_ranges(&both), crc32: sum(&both, snapshot)? }];
        let mut writer = CoreWriter::begin(out)?;
        let mut kept = Kept::default();
        if let Some(other) = other {
            let over = Over { evidence: snapshot, ranges: &evidence, other: other.memory };
            groups.push(add_relocated(&mut writer, other, &over, &constants)?);
            // Room for what makes it decodable is not given away.
            let bounds = Bounds { max_bytes: max_bytes.saturating_sub(constants.bytes()), go_on: other.go_on };
            add_windows(&mut writer, other, &over, bounds, &mut kept)?;
            // What of the evidence could not be read again stands by itself.
            add_missing(&mut writer, &evidence, Access::ReadWrite, snapshot)?;
            add_other(&mut writer, other, bounds, &mut kept)?;
        } else {
            add_missing(&mut writer, &evidence, Access::ReadWrite, snapshot)?;
        }
        let of_file = constants.minus(&writer.held());
        let summed = Summed::new(&*file);
        add_missing(&mut writer, &of_file, Access::Read, &summed)?;
        groups.push(summed.of(&of_file.and(&writer.held())));
        let description = StoredV1 {
            kernel: kernel.to_owned(),
            evidence: StoredRanges { ranges: store_ranges(&evidence), crc32: sum(&evidence, snapshot)? },
            constants: groups,
            other: other.map(|o| StoredOther { read: o.read, lost_bytes: kept.lost }),
            ..describe(self)
        };
        let bytes = writer.written();
        let out = self.finish(writer, other, &description)?;
        Ok(Saved { out, bytes, gaps: other.map(|o| kept.gaps(o)).unwrap_or_default() })
    }

    /// Writes the evidence alone: for a process of ours that is handed the executable's file beside it.
    /// Earlier looks are not its business, and are left out. [`RawCapture::load`] gives it back with a binary
    /// that has no constants.
    ///
    /// # Errors
    /// As [`RawCapture::save`].
    pub fn save_evidence<W: Write + Seek>(&self, out: W) -> io::Result<W> {
        let snapshot = &self.evidence.snapshot;
        let evidence = Ranges::union(snapshot.ranges());
        let mut writer = CoreWriter::begin(out)?;
        add_missing(&mut writer, &evidence, Access::ReadWrite, snapshot)?;
        let description = StoredV1 {
            evidence: StoredRanges { ranges: store_ranges(&evidence), crc32: sum(&evidence, snapshot)? },
            baselines: Default::default(),
            census: None,
            goroutine_looks: Vec::new(),
            samples: Vec::new(),
            events: Vec::new(),
            ..describe(self)
        };
        self.finish(writer, None, &description)
    }

    /// As [`RawCapture::save_evidence`], with all that was seen of it earlier: what is decoded by a process
    /// of ours that is handed the executable's file beside it.
    ///
    /// # Errors
    /// As [`RawCapture::save`].
    pub fn save_for_decoding<W: Write + Seek>(&self, out: W) -> io::Result<W> {
        let snapshot = &self.evidence.snapshot;
        let evidence = Ranges::union(snapshot.ranges());
        let mut writer = CoreWriter::begin(out)?;
        add_missing(&mut writer, &evidence, Access::ReadWrite, snapshot)?;
        let evidence = StoredRanges { ranges: store_ranges(&evidence), crc32: sum(&evidence, snapshot)? };
        self.finish(writer, None, &StoredV1 { evidence, ..describe(self) })
    }

    /// As [`RawCapture::save_evidence`], with other memory: what a target that stands still has, as quickly
    /// as it can be kept. It is read again as a core when a capture is written.
    ///
    /// # Errors
    /// As [`RawCapture::save`].
    pub fn save_memory<W: Write + Seek>(&self, out: W, other: &OtherMemory<'_>) -> io::Result<Saved<W>> {
        let snapshot = &self.evidence.snapshot;
        let evidence = Ranges::union(snapshot.ranges());
        let (mut writer, mut kept) = (CoreWriter::begin(out)?, Kept::default());
        let over = Over { evidence: snapshot, ranges: &evidence, other: other.memory };
        let bounds = Bounds { max_bytes: u64::MAX, go_on: other.go_on };
        add_windows(&mut writer, other, &over, bounds, &mut kept)?;
        add_missing(&mut writer, &evidence, Access::ReadWrite, snapshot)?;
        add_other(&mut writer, other, bounds, &mut kept)?;
        let bytes = writer.written();
        let out = self.finish(writer, Some(other), &StoredV1::default())?;
        Ok(Saved { out, bytes, gaps: kept.gaps(other) })
    }

    fn finish<W: Write + Seek>(
        &self,
        writer: CoreWriter<W>,
        other: Option<&OtherMemory<'_>>,
        description: &StoredV1,
    ) -> io::Result<W> {
        let text = serde_json::to_vec(description)?;
        let checksum = crc32fast::hash(&text).to_le_bytes();
        // Where it was moved to is all that a debugger must know of it.
        let entry: Vec<u8> = [AT_ENTRY, self.binary.entry.0, 0, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
        let auxv = other.map(|o| o.auxv.as_slice()).filter(|a| !a.is_empty()).unwrap_or(&entry);
        let known: Vec<Mapping> = self.residency.iter().flatten().map(|r| r.mapping.clone()).collect();
        let mappings = other.map(|o| o.mappings.as_slice()).filter(|m| !m.is_empty()).unwrap_or(&known);
        let process = CoreProcess {
            arch: self.runtime.arch,
            pid: self.identity.pid,
            name: &self.identity.service,
            threads: &self.registers,
            auxv,
            mappings,
        };
        writer.finish(&process, &[(NOTE_DESCRIPTION, &text), (NOTE_CHECKSUM, &checksum)])
    }
}

/// Constants that the process has pages of its own of, since its loader has relocated what stands beside
/// them: as the process has them.
fn add_relocated<W: Write + Seek>(
    writer: &mut CoreWriter<W>,
    other: &OtherMemory<'_>,
    over: &Over<'_>,
    constants: &Ranges,
) -> io::Result<StoredRanges> {
    let own = Ranges::union(other.regions.iter().map(|r| r.range)).and(constants);
    let summed = Summed::new(over);
    add_missing(writer, &own, Access::Read, &summed)?;
    Ok(summed.of(&own.and(&writer.held())))
}

/// Pages around evidence first: near the end of the time there is they are worth most.
fn add_windows<W: Write + Seek>(
    writer: &mut CoreWriter<W>,
    other: &OtherMemory<'_>,
    over: &Over<'_>,
    bounds: Bounds<'_>,
    kept: &mut Kept,
) -> io::Result<()> {
    let windows = Ranges::within(pages(over.ranges).as_slice().iter().copied(), WINDOW_GAP);
    for access in ALL_ACCESS {
        for range in other.of(access).and(&windows).minus(&writer.held()).as_slice() {
            kept.count(*range, writer.add(*range, access, over, bounds)?);
        }
    }
    Ok(())
}

fn add_other<W: Write + Seek>(
    writer: &mut CoreWriter<W>,
    other: &OtherMemory<'_>,
    bounds: Bounds<'_>,
    kept: &mut Kept,
) -> io::Result<()> {
    // A page that failed in a window is not asked for again: its evidence stands there by itself.
    for access in ALL_ACCESS {
        let held = pages(&writer.held());
        let (read, zeros) = (other.of(access).minus(&held), other.zeros_of(access));
        let zeros = zeros.minus(&held).minus(&read);
        // In the order of addresses, so that what is touching is one segment.
        let read = read.as_slice().iter().map(|range| (*range, false));
        let mut all: Vec<(AddrRange, bool)> = read.chain(zeros.as_slice().iter().map(|range| (*range, true))).collect();
        all.sort_unstable_by_key(|(range, _)| range.start);
        for (range, is_zero) in all {
            if is_zero {
                writer.add_zeros(range, access);
            } else if kept.cut.is_some() {
                kept.lost = kept.lost.saturating_add(range.len());
            } else {
                kept.count(range, writer.add(range, access, other.memory, bounds)?);
            }
        }
    }
    Ok(())
}

fn add_missing<W: Write + Seek>(
    writer: &mut CoreWriter<W>,
    wanted: &Ranges,
    access: Access,
    memory: &dyn Memory,
) -> io::Result<()> {
    for range in wanted.minus(&writer.held()).as_slice() {
        writer.add(*range, access, memory, Bounds::NONE)?;
    }
    Ok(())
}

/// The pages that ranges are in.
fn pages(ranges: &Ranges) -> Ranges {
    Ranges::union(ranges.as_slice().iter().map(|r| AddrRange {
        start: Addr(r.start.0 / PAGE * PAGE),
        end: Addr(r.end.0.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX)),
    }))
}

/// The entry point in an auxiliary vector.
const AT_ENTRY: u64 = 9;

/// What became of other memory.
#[derive(Default)]
struct Kept {
    lost: u64,
    cut: Option<Cut>,
}

impl Kept {
    fn count(&mut self, range: AddrRange, added: Added) {
        self.lost = self.lost.saturating_add(range.len() - added.held.min(range.len()));
        self.cut = self.cut.or(added.cut);
    }

    fn gaps(&self, other: &OtherMemory<'_>) -> Vec<Gap> {
        let why = match self.cut {
            Some(Cut::Full) => "is over the bound for memory.core",
            Some(Cut::Told) => "was not reached before the end",
            // A process that runs gives memory back all the time.
            None if other.read == WhenRead::Running => return other.gaps.clone(),
            None => "was gone",
        };
        let lost = (self.lost > 0).then(|| Gap::new("memory.core", format!("{} bytes of memory: {why}", self.lost)));
        other.gaps.iter().cloned().chain(lost).collect()
    }
}

fn sum(ranges: &Ranges, memory: &dyn Memory) -> io::Result<u32> {
    checksum(ranges, memory).map_err(|e| io::Error::other(e.to_string()))
}

/// CRC-32 of memory, range after range.
pub(super) fn checksum(ranges: &Ranges, memory: &dyn Memory) -> Result<u32, ReadError> {
    let mut hasher = crc32fast::Hasher::new();
    let mut chunk = vec![0; CHUNK.min(ranges.bytes()) as usize];
    for r in ranges.as_slice() {
        let mut at = r.start.0;
        while at < r.end.0 {
            let n = (r.end.0 - at).min(CHUNK);
            let Some(bytes) = chunk.get_mut(..n as usize) else { break };
            memory.read(Addr(at), bytes)?;
            hasher.update(bytes);
            at += n;
        }
    }
    Ok(hasher.finalize())
}
