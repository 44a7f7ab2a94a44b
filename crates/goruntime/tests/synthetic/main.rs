//! The decoders against a make-believe process whose layouts were typed in independently: whole, and damaged
//! in every way that proptest thinks of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[allow(unreachable_pub)]
mod process;

use std::io::Write as _;

use lastgasp_goruntime::{Runtime, SpanClass, SpanTable, Status, Symbolizer, decode_goroutines, decode_profile};
use lastgasp_inferior::{Addr, CoreFile, ElfImage, Layered, Match, Memory};
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
    let second_half = Addr(p.at.text.0 + 2 * 64 + 40);
    let names: Vec<String> =
        symbols.frames(second_half).into_iter().map(|f| format!("{}:{}", f.function, f.line)).collect();
    assert_eq!(names, ["main.small:31", "main.handle:30"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
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
