//! The heap's span table and type descriptors (`runtime/mheap.go`, `runtime/mgcmark_greenteagc.go`,
//! `internal/abi/type.go`).

use lastgasp_inferior::Addr;

use crate::flavour::Flavour;
use crate::layout::put;
use crate::process::Process;

/// What a span is used for (`mSpanState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanState {
    /// Free: `allspans` keeps it.
    #[default]
    Dead,
    /// In use: it holds objects.
    InUse,
    /// Stacks and other memory that the runtime manages itself.
    Manual,
}

/// How far the sweeper has come with a span (`mspan.sweepgen`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sweep {
    /// Swept, in this cycle.
    #[default]
    Done,
    /// Not swept yet in this cycle.
    Due,
    /// Not yet: an mcache holds it since before the sweep began.
    Cached,
}

/// A span to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// What it is used for: `mspan.state`.
    pub state: SpanState,
    /// Number of its size class; 0: one large object.
    pub size_class: u8,
    /// Whether its objects hold no pointers.
    pub noscan: bool,
    /// Pages of 8 KiB.
    pub pages: u64,
    /// Bytes of a slot.
    pub elem_size: u64,
    /// Number of slots: `mspan.nelems`.
    pub slots: u16,
    /// Slots with objects: `mspan.allocCount`.
    pub objects: u16,
    /// How far the sweeper has come with it.
    pub sweep: Sweep,
    /// Objects that the last mark found alive.
    pub marked: u16,
    /// Its object's type, an index into the types.
    pub large_type: Option<usize>,
}

/// A type to be: name as Go prints it, size in bytes, whether the name is stored with a star in front
/// (`TFlagExtraStar`).
pub type TypeSpec<'a> = (&'a str, u64, bool);

const TYPES: u64 = 0x58_0000;
const SPANS: u64 = 0x7f10_0000_0000;
const ALLSPANS: u64 = 0x7f20_0000_0000;
const MARKS: u64 = 0x7f30_0000_0000;
const ALLOC_BITS: u64 = 0x7f40_0000_0000;
/// Which words of each type are pointers: of eight the first and the fourth.
const POINTERS: u8 = 0b1001;
/// Bytes of a type in which there are pointers, at most.
const PTR_BYTES: u64 = 4096;
const ARENA: u64 = 0xc0_4000_0000;
const PAGE: u64 = 8192;
const MSPAN: usize = 160;
/// `mheap_.sweepgen` and `mheap_.allspans`, the same in both flavours.
const SWEEPGEN_AT: u64 = 65856;
const SWEEPGEN: u32 = 6;

impl Process {
    /// Adds a heap and the types of its large objects.
    pub fn with_heap(&mut self, flavour: Flavour, spans: &[Span], types: &[TypeSpec<'_>]) {
        let descriptors = self.types(types);
        let (mut table, mut marks, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        let mut start = ARENA;
        for s in spans {
            let mut b = vec![0; MSPAN];
            put(&mut b, 24, start);
            put(&mut b, 32, s.pages);
            // freeindex, nelems: the first slots are taken, as many as there are objects.
            put(&mut b, 48, u64::from(s.objects) | u64::from(s.slots) << 16);
            let mark_bits = MARKS + marks.len() as u64;
            put(&mut b, 64, ALLOC_BITS + taken.len() as u64);
            put(&mut b, 72, mark_bits);
            let sweepgen = match s.sweep {
                Sweep::Done => SWEEPGEN,
                Sweep::Due => SWEEPGEN - 2,
                Sweep::Cached => SWEEPGEN + 1,
            };
            put(&mut b, 88, u64::from(sweepgen));
            let class = u64::from(s.size_class) << 1 | u64::from(s.noscan);
            let state: u64 = match s.state {
                SpanState::Dead => 0,
                SpanState::InUse => 1,
                SpanState::Manual => 2,
            };
            // allocCount, spanclass, state.
            put(&mut b, 96, u64::from(s.objects) | class << 16 | state << 24);
            put(&mut b, 104, s.elem_size);
            put(&mut b, 152, s.large_type.and_then(|t| descriptors.get(t)).map_or(0, |a| a.0));
            table.extend(b);
            // Sweeping makes marks into what is taken.
            let was_taken = if s.sweep == Sweep::Done { s.marked } else { s.objects };
            taken.extend(bits(was_taken, usize::from(s.slots).div_ceil(8).next_multiple_of(8)));
            let bits = bits(s.marked, usize::from(s.slots).div_ceil(8).next_multiple_of(8));
            // Green Tea keeps the marks of small objects in the span's own last 128 bytes until it is swept;
            // beside them then stand those of the cycle before.
            if flavour == Flavour::Go27 && s.pages == 1 && (16..=512).contains(&s.elem_size) {
                let mut inline = vec![0xff; 64];
                inline.extend(self::bits(s.marked, 63));
                inline.push(class as u8);
                self.regions.push((start + PAGE - 128, inline));
                marks.extend(vec![0xff; bits.len()]);
            } else {
                marks.extend(bits);
            }
            start += s.pages * PAGE;
        }
        let array: Vec<u8> = (0..spans.len()).flat_map(|i| (SPANS + (i * MSPAN) as u64).to_le_bytes()).collect();
        let mut heap = vec![0; 32];
        put(&mut heap, 0, u64::from(SWEEPGEN));
        for (i, word) in [ALLSPANS, spans.len() as u64, spans.len() as u64].into_iter().enumerate() {
            put(&mut heap, 8 + i * 8, word);
        }
        let at = self.at.mheap.0 + SWEEPGEN_AT;
        self.regions.extend([(SPANS, table), (ALLSPANS, array), (MARKS, marks), (ALLOC_BITS, taken), (at, heap)]);
        self.regions.sort_by_key(|r| r.0);
    }

    /// As that, with the objects themselves: of eight words the first and the fourth point to the first
    /// objects of the first span, in turn.
    pub fn with_objects(&mut self, flavour: Flavour, spans: &[Span], types: &[TypeSpec<'_>]) {
        self.with_heap(flavour, spans, types);
        let descriptors: Vec<u64> = (1..=types.len() as u64).map(|i| TYPES + i * 48).collect();
        let end = ARENA + spans.iter().map(|s| s.pages * PAGE).sum::<u64>();
        let mut heap = vec![0; (end - ARENA) as usize];
        // Marks stand in the heap too.
        self.regions.retain(|(at, bytes)| {
            let inside = (ARENA..end).contains(at);
            let from = at.wrapping_sub(ARENA) as usize;
            if inside && let Some(to) = heap.get_mut(from..from + bytes.len()) {
                to.copy_from_slice(bytes);
            }
            !inside
        });
        let first = spans.first().copied().unwrap_or_default();
        let mut told = 0u64;
        let mut span_at = 0usize;
        for s in spans {
            let bytes = (s.pages * PAGE) as usize;
            let inline = flavour == Flavour::Go27 && s.pages == 1 && (16..=512).contains(&s.elem_size);
            let map = span_at + bytes - bytes / 64 - if inline { 128 } else { 0 };
            let small = s.elem_size <= 512;
            let header = if small || s.size_class == 0 { 0 } else { 8 };
            let scanned = s.state == SpanState::InUse && !s.noscan;
            for slot in (0..usize::from(s.objects)).filter(|_| scanned) {
                let at = slot * s.elem_size as usize;
                if header > 0 {
                    put(&mut heap, span_at + at, descriptors.first().copied().unwrap_or(0));
                }
                for word in (0..(s.elem_size as usize - header) / 8).filter(|w| POINTERS >> (w % 8) & 1 == 1) {
                    let target = told % u64::from(first.objects.max(1));
                    told += 1;
                    put(&mut heap, span_at + at + header + word * 8, ARENA + target * first.elem_size);
                    if let Some(byte) = heap.get_mut(map + (at / 8 + word) / 8).filter(|_| small) {
                        *byte |= 1 << ((at / 8 + word) % 8);
                    }
                }
            }
            span_at += bytes;
        }
        self.regions.push((ARENA, heap));
        self.regions.sort_by_key(|r| r.0);
    }

    /// `abi.Type` and names; where each type stands.
    fn types(&mut self, types: &[TypeSpec<'_>]) -> Vec<Addr> {
        const TYPE: usize = 48;
        let names: usize = types.iter().map(|t| t.0.len() + 8).sum();
        let masks = ((types.len() + 1) * TYPE + names).next_multiple_of(8) as u64;
        let mut b = vec![0; (types.len() + 1) * TYPE];
        let mut at = Vec::new();
        for (i, (name, size, star)) in types.iter().enumerate() {
            // The first descriptor's place stays empty: offset 0 is no type.
            let here = (i + 1) * TYPE;
            at.push(Addr(TYPES + here as u64));
            let stored = if *star { format!("*{name}") } else { (*name).to_owned() };
            let str_at = b.len() as u64;
            // Flags, the length as a varint, the bytes.
            b.push(0);
            let mut len = stored.len();
            while len >= 0x80 {
                b.push(len as u8 | 0x80);
                len >>= 7;
            }
            b.push(len as u8);
            b.extend(stored.as_bytes());
            put(&mut b, here, *size);
            put(&mut b, here + 8, (*size).min(PTR_BYTES) / 8 * 8);
            put(&mut b, here + 32, TYPES + masks);
            // hash (unused), tflag, align, fieldAlign, kind: a struct (25) of pointers.
            put(&mut b, here + 16, u64::from(*star) << 33 | 8 << 40 | 8 << 48 | 25 << 56);
            put(&mut b, here + 40, str_at);
        }
        b.resize(masks as usize, 0);
        b.extend([POINTERS; (PTR_BYTES / 64) as usize]);
        self.at.types = (Addr(TYPES), b.len() as u64);
        self.regions.push((TYPES, b));
        at
    }
}

/// `n` bits set, spread from the front.
fn bits(n: u16, len: usize) -> Vec<u8> {
    let mut b = vec![0u8; len];
    for i in 0..usize::from(n) {
        if let Some(byte) = b.get_mut(i / 8) {
            *byte |= 1 << (i % 8);
        }
    }
    b
}
