//! The decoders against a make-believe process whose layouts were typed in independently: whole, and damaged in every way that proptest thinks of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[allow(unreachable_pub)]
mod process;

use lastgasp_goruntime::{Status, Symbolizer, decode_goroutines, decode_profile};
use lastgasp_inferior::{Addr, Memory};
use lastgasp_synth::Flavour;
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
