//! The decoders against a make-believe process whose layouts were typed in independently: whole, and damaged
//! in every way that proptest thinks of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[allow(unreachable_pub)]
mod process;

use std::collections::BTreeMap;
use std::io::Write as _;

use lastgasp_goruntime::{
    HeapObjects, Mark, PointerMasks, PointerReader, Runtime, SpanClass, SpanTable, StackReader, Status, Symbolizer,
    decode_goroutines, decode_profile, each_goroutine,
};
use lastgasp_inferior::{Addr, AddrRange, CoreFile, ElfImage, Layered, Match, Memory, ReadCause, ReadError};
use lastgasp_synth::{Flavour, Span, SpanState, Sweep};
use proptest::prelude::*;

use process::{decode_all, runtime, whole};

#[test]
fn a_whole_process_is_read_as_it_was_built() {
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let p = whole(flavour);
        let rt = runtime(&p, flavour);
        let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
        let mut gaps = Vec::new();

        let profile = decode_profile(&rt, &p, &mut gaps);
        assert_eq!(profile.buckets.len(), 2);
        let b = &profile.buckets[0];
        assert_eq!((profile.current(b).1.objects, profile.current(b).1.bytes), (12, 12 * 64));
        assert_eq!(profile.published(b).1.objects, 6);
        assert_eq!(profile.burst(b).objects, 1, "cycle 4: slot 0 takes new allocations");
        let names: Vec<String> = b.stack.iter().map(|pc| symbols.innermost(Addr(pc.0 - 1)).unwrap().function).collect();
        assert_eq!(names, ["main.build", "main.handle"]);

        let all = decode_goroutines(&rt, &p, &symbols, &[], &mut gaps);
        assert_eq!(gaps, []);
        assert_eq!(all.iter().map(|g| g.goid).collect::<Vec<_>>(), [1, 7, 8]);
        let stacks: Vec<Vec<&str>> =
            all.iter().map(|g| g.stack.iter().map(|f| f.function.as_str()).collect()).collect();
        assert_eq!(stacks[0], ["runtime.gopark", "main.main", "runtime.goexit"]);
        assert_eq!(stacks[1], ["main.build", "main.handle", "runtime.goexit"]);
        assert_eq!((all[0].wait_reason, all[1].status, all[2].status), ("IO wait", Status::Runnable, Status::Syscall));
        assert!(all.iter().all(|g| g.cut.is_none()));
        assert_eq!((all[0].stack[1].file.as_str(), all[0].stack[1].line), ("synth/main.go", 10));
    }
}

/// Labels as a map with an overflow bucket and as a set, ancestors with their stacks.
#[test]
fn labels_and_ancestors_are_read_as_they_were_built() {
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let p = whole(flavour);
        let rt = runtime(&p, flavour);
        let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
        let mut gaps = Vec::new();
        let all = decode_goroutines(&rt, &p, &symbols, &[], &mut gaps);
        assert_eq!(gaps, []);
        let keys: Vec<&str> = all[1].labels.iter().map(|l| l.key.as_str()).collect();
        let mut want: Vec<&str> = process::LABELS.iter().map(|l| l.0).collect();
        want.sort_unstable();
        assert_eq!(keys, want);
        let hash = |g: &lastgasp_goruntime::Goroutine| g.labels.iter().find(|l| l.key == "request").unwrap().value_hash;
        assert_eq!(hash(&all[1]), hash(&all[2]), "equal values have equal hashes");
        assert!(all[0].labels.is_empty() && all[0].ancestors.is_empty());
        let ancestors: Vec<(u64, Vec<&str>)> = all[1]
            .ancestors
            .iter()
            .map(|a| (a.goid, a.stack.iter().map(|c| c.frame.function.as_str()).collect()))
            .collect();
        assert_eq!(ancestors, [(5, vec!["main.main", "main.handle"]), (1, vec!["main.build"])]);
        assert!(all[1].ancestors.iter().all(|a| a.created_by.as_ref().unwrap().function == "main.main"));
    }
}

/// The span table is what was planted: classes, garbage by the marks where each release keeps them, large
/// objects with their types.
#[test]
fn the_span_table_is_read_as_it_was_built() {
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let p = whole(flavour);
        let rt = runtime(&p, flavour);
        let mut gaps = Vec::new();
        let mut table = SpanTable::read(&rt, &p, &mut gaps).unwrap();
        table.name_types(&rt, &p);
        assert_eq!(gaps, []);
        let small = |elem_size, noscan| {
            let of: Vec<_> = process::SPANS
                .iter()
                .filter(|s| s.state == SpanState::InUse && s.size_class > 0 && s.elem_size == elem_size)
                .collect();
            let dead = |s: &&Span| if s.sweep == Sweep::Done { 0 } else { u64::from(s.objects - s.marked) };
            SpanClass {
                elem_size,
                noscan,
                spans: of.len() as u64,
                span_bytes: of.iter().map(|s| s.pages * 8192).sum(),
                objects: of.iter().map(|s| u64::from(s.objects)).sum(),
                garbage: of.iter().map(dead).sum(),
            }
        };
        assert_eq!(table.classes, [small(64, false), small(1024, true)], "{flavour:?}");
        assert_eq!((table.classes[0].objects, table.classes[0].garbage), (193, 60));
        let element = |o: &lastgasp_goruntime::LargeObject| o.element.clone();
        let large: Vec<_> = table.large.iter().map(|o| (o.count, o.bytes, o.noscan, element(o))).collect();
        let want = [
            (1, 1 << 20, true, None),
            (1, 131_072, false, Some(("[]*main.Order".to_owned(), 8))),
            (1, 40960, false, Some(("main.block".to_owned(), 32768))),
        ];
        assert_eq!(large, want);
        assert_eq!((table.large_garbage_bytes, table.large_bytes), (40960, [172_032, 1 << 20 | 40960]));
        assert_eq!(table.manual_bytes, 4 * 8192);
        let bytes: u64 = process::SPANS.iter().filter(|s| s.state == SpanState::InUse).map(|s| s.pages * 8192).sum();
        assert_eq!(table.span_bytes(), bytes);
        assert_eq!(table.arenas.len(), 1);
    }
}

/// The executable and the core that the process makes of itself lead back to it, with a symbol table and by
/// the code alone.
#[test]
fn the_image_and_the_core_are_read_as_they_were_built() {
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let p = whole(flavour);
        let want = runtime(&p, flavour);
        for stripped in [false, true] {
            let image = ElfImage::open(file(&p.image(flavour, stripped)), "synth").unwrap();
            assert_eq!(image.is_stripped(), stripped);
            let core = CoreFile::open(file(&p.core()), "synth.core").unwrap();
            assert_eq!((core.pid(), core.threads().len()), (4711, 1));
            let mapped = core.executable().unwrap();
            assert_eq!(mapped.path, "/srv/synth");
            let bias = core.bias_of(&image, Some(mapped));
            assert_eq!((bias, core.matches(&image, bias)), (0, Match::Same));
            let code = image.memory(bias, &[]).unwrap();
            let mem = Layered { top: &core, bottom: code };
            let rt = Runtime::discover(&image, bias, &mem).unwrap();
            assert_eq!((&rt.module, &rt.globals), (&want.module, &want.globals));
            assert_eq!(rt.build_info.module.path, "synth");
            assert_eq!(decode_all(&rt, &mem), []);
        }
    }
}

fn file(bytes: &[u8]) -> std::fs::File {
    let mut f = tempfile::tempfile().unwrap();
    f.write_all(bytes).unwrap();
    f
}

#[test]
fn inlined_calls_are_frames_of_their_own() {
    let p = whole(Flavour::Go22);
    let rt = runtime(&p, Flavour::Go22);
    let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
    let second_half = Addr(p.at.text.0 + 2 * 96 + 60);
    let names: Vec<String> =
        symbols.frames(second_half).into_iter().map(|f| format!("{}:{}", f.function, f.line)).collect();
    assert_eq!(names, ["main.small:31", "main.handle:30"]);
}

/// Objects and their pointers are those that were put there: maps in the span, before Green Tea's marks
/// where there are any; headers; the type of a large object.
#[test]
fn objects_and_pointers_are_read_as_they_were_built() {
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let p = process::with_objects(flavour);
        let rt = runtime(&p, flavour);
        let mut gaps = Vec::new();
        let heap = HeapObjects::read(&rt, &p, &mut gaps).unwrap();
        assert_eq!(gaps, []);
        assert_eq!(heap.len(), 100 + 50 + 100 + 6 + 1);
        let count = |mark| heap.iter().filter(|o| o.mark == mark).count();
        assert_eq!(
            (count(Mark::Marked), count(Mark::New), count(Mark::Garbage)),
            (60 + 20 + 60 + 7, 40 + 40, 30),
            "{flavour:?}"
        );
        let start = heap.spans()[0].start;
        assert_eq!(heap.find(start.plus(64 * 99 + 63)).map(|o| o.number), Some(99));
        assert_eq!(heap.find(start.plus(64 * 100)), None, "a free slot");
        let mut told = process::Pointers::default();
        let mut reader = PointerReader::new(&rt, &p, &heap);
        reader.read_all(&mut told);
        assert_eq!((told.pointers, told.types), (2 * 150 + 6 * 32 + 2 * 640, 7));
        let first: Vec<u64> = reader.of(3).iter().map(|p| p.0).collect();
        assert_eq!(first, [0, 24]);
        // The first word of an object over 512 bytes is its header.
        let with_header: Vec<u64> = reader.of(250).iter().map(|p| p.0).take(3).collect();
        assert_eq!(with_header, [8, 32, 72]);
        assert!(reader.of(256).iter().all(|(_, to)| heap.find(*to).is_some_and(|o| o.number < 100)));
        reader.finish(&mut gaps);
        assert_eq!(gaps, []);
    }
}

/// A process whose heap holds noise, and around whose memory there is noise without end: words that are
/// small, that point into the heap, that look like a type's flags, that are anything.
struct Noise<'a> {
    process: &'a lastgasp_synth::Process,
    heap: AddrRange,
    seed: u64,
}

impl Noise<'_> {
    fn word(&self, at: u64) -> u64 {
        let mut x = (at ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 32;
        match x % 8 {
            0..3 => (x >> 8) % 1024 * 8,
            3..5 => self.heap.start.0 + (x >> 8) % self.heap.len() / 8 * 8,
            5 => ((x >> 8) % 32) << 56 | ((x >> 16) % 256) << 32,
            6 => (x >> 8) % (1 << 20),
            _ => x,
        }
    }
}

impl Memory for Noise<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if !self.heap.contains(addr) && self.process.read(addr, buf).is_ok() {
            return Ok(());
        }
        for (at, b) in (addr.0..).zip(buf.iter_mut()) {
            *b = self.word(at / 8 * 8).to_le_bytes()[(at % 8) as usize];
        }
        Ok(())
    }
}

/// Random bytes as a heap, and as types: gaps, an end, no panic.
#[test]
fn noise_for_a_heap_ends() {
    let began = std::time::Instant::now();
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let p = process::with_objects(flavour);
        let mut rt = runtime(&p, flavour);
        let heap = HeapObjects::read(&rt, &p, &mut Vec::new()).unwrap();
        let (first, last) = (heap.spans().first().unwrap(), heap.spans().last().unwrap());
        let heap = AddrRange { start: first.start, end: last.range().end };
        let mut lies = 0;
        for seed in 0..40 {
            // Programs are of the releases before.
            rt.version.minor = if flavour == Flavour::Go22 { 22 } else { 24 + (seed % 4) as u16 };
            let gaps = process::decode_objects(&rt, &Noise { process: &p, heap, seed });
            lies += usize::from(gaps.iter().any(|g| g.why.contains("a type that makes no sense")));
        }
        assert!(lies > 10, "{lies}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(120), "{:?}", began.elapsed());
}

/// Words at their addresses, and nothing beside them.
struct Words(BTreeMap<u64, u64>);

impl Memory for Words {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        for (at, b) in (addr.0..).zip(buf.iter_mut()) {
            *b = self.0.get(&(at / 8 * 8)).ok_or(error)?.to_le_bytes()[(at % 8) as usize];
        }
        Ok(())
    }
}

/// Offsets of the pointers of `struct { n int; array [3]struct { p *T; n int; q *T }; last *T }`, whose bits
/// are made on demand: `made` stands where they would; `None` where that page is not at hand.
fn made_on_demand(made: Option<u64>) -> Option<Vec<u64>> {
    const ON_DEMAND: u64 = 1 << 36;
    let (structure, array, element, pointer) = (0x1000, 0x2000, 0x3000, 0x4000);
    let (fields, slot, masks) = (0x5000, 0x6000, 0x7000);
    let kind = |k: u64| k << 56;
    let slots = made.map(|made| [made, 0]);
    let lists: [(u64, &[u64]); 7] = [
        (structure, &[88, 88, kind(25) | ON_DEMAND, 0, slot, 0, 0, fields, 3, 3]),
        (array, &[72, 72, kind(17) | ON_DEMAND, 0, slot + 8, 0, element, 0, 3]),
        (element, &[24, 24, kind(25), 0, masks, 0, 0, 0, 0, 0]),
        (pointer, &[8, 8, kind(22), 0, masks + 8, 0, 0]),
        // Name, type, offset; the type of `n` has no pointers.
        (fields, &[0, 0x8000, 0, 0, array, 8, 0, pointer, 80]),
        (slot, slots.as_ref().map_or(&[], |s| s.as_slice())),
        (masks, &[0b101, 1, 0b10]),
    ];
    let mut words: BTreeMap<u64, u64> = BTreeMap::from([(0x8000, 8), (0x8008, 0)]);
    words.extend(lists.iter().flat_map(|(at, list)| (*at..).step_by(8).zip(list.iter().copied())));
    let p = process::with_objects(Flavour::Go27);
    let rt = runtime(&p, Flavour::Go27);
    PointerMasks::default().of(&rt, &Words(words), Addr(structure)).map(|m| m.offsets())
}

/// A large type whose bits the runtime has not made yet, or makes just now: they come from its fields and
/// elements. Else they are those that it made.
#[test]
fn bits_that_nobody_made_yet_are_put_together() {
    let expected = [8, 24, 32, 48, 56, 72, 80];
    assert_eq!(made_on_demand(Some(0)).as_deref(), Some(&expected[..]));
    assert_eq!(made_on_demand(None).as_deref(), Some(&expected[..]), "never touched");
    let in_progress = process::with_objects(Flavour::Go27).at.variables.0 + 8;
    assert_eq!(made_on_demand(Some(in_progress)).as_deref(), Some(&expected[..]));
    assert_eq!(made_on_demand(Some(0x7010)).as_deref(), Some(&[8][..]));
    assert_eq!(made_on_demand(Some(0x9000)), None, "not there");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Objects, headers, types, bits and the records of spans, damaged.
    #[test]
    fn damaged_objects_make_gaps_and_never_a_panic(
        hits in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..40),
        words in proptest::collection::vec((any::<u32>(), any::<u64>()), 0..20),
        new: bool,
    ) {
        let flavour = if new { Flavour::Go27 } else { Flavour::Go22 };
        let mut p = process::with_objects(flavour);
        let rt = runtime(&p, flavour);
        p.damage(&hits);
        for (place, word) in words {
            p.overwrite(p.address(place), word);
        }
        process::decode_objects(&rt, &p);
    }

    #[test]
    fn damage_makes_gaps_and_never_a_panic(hits in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..40), new: bool) {
        let flavour = if new { Flavour::Go27 } else { Flavour::Go22 };
        let mut p = whole(flavour);
        let rt = runtime(&p, flavour);
        p.damage(&hits);
        decode_all(&rt, &p);
    }

    /// Damage where it hurts most: the variables, bucket headers and goroutines themselves.
    #[test]
    fn hostile_pointers_end(word in any::<u64>(), slot in 0u64..6) {
        let flavour = Flavour::Go27;
        let mut p = whole(flavour);
        let rt = runtime(&p, flavour);
        let at = p.at.variables.0 + slot * 8;
        p.overwrite(Addr(at), word);
        decode_all(&rt, &p);
    }
}

/// Goroutines keep the address of vector registers that were saved: one of almost 2^64 was added to, which
/// ended the reader (found by `goheap/tests/hostile.rs`).
#[test]
fn saved_registers_at_the_end_of_all_addresses_are_none() {
    let mut p = whole(Flavour::Go27);
    let rt = runtime(&p, Flavour::Go27);
    let mut goroutines = Vec::new();
    each_goroutine(&rt, &p, |_, at| goroutines.push(at));
    let vectors = rt.layout.g.x_regs.unwrap();
    goroutines.iter().for_each(|g| p.overwrite(g.plus(vectors), u64::MAX - 3));
    let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
    let mut stacks = StackReader::new(&rt, &p, &symbols, &[]);
    goroutines.iter().for_each(|g| stacks.read(*g, &mut |_| {}));
    assert_eq!(stacks.finish(&mut Vec::new()).goroutines, 3);
}

/// A list that bites its own tail ends, and says so.
#[test]
fn a_ring_of_buckets_is_a_gap() {
    let mut p = whole(Flavour::Go22);
    let rt = runtime(&p, Flavour::Go22);
    let head = p.u64(p.at.mbuckets).unwrap();
    p.overwrite(Addr(head + 8), head);
    let mut gaps = Vec::new();
    assert_eq!(decode_profile(&rt, &p, &mut gaps).buckets.len(), 1);
    assert!(gaps[0].why.contains("does not end"), "{gaps:?}");
}
