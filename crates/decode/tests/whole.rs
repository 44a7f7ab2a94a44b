//! A make-believe process's core file, taken and decoded: what the process was built with is what the facts
//! say.
#![allow(clippy::unwrap_used)]

use lastgasp_decode::{Decoded, Provenance, decode};
use lastgasp_observe::core::take_core;
use lastgasp_observe::raw_capture::{Phase, RawCapture};
use lastgasp_synth::{Flavour, write_service};

fn taken(flavour: Flavour) -> RawCapture {
    let dir = tempfile::tempdir().unwrap();
    let (exe, core) = write_service(flavour, dir.path()).unwrap();
    // The executable is open: its folder may go.
    take_core(&core, Some(&exe)).unwrap()
}

fn decoded(taken: &RawCapture) -> Decoded {
    decode(taken, &Provenance { lastgasp_version: "1.2.3".into(), kernel: "9.9.9-here".into() })
}

#[test]
fn facts_are_what_the_process_was_built_with() {
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let decoded = decoded(&taken(flavour));
        let facts = &decoded.facts;
        let function = |i: &u32| facts.frames[*i as usize].function.as_str();
        let [other, site] = facts.profile.sites.as_slice() else { panic!("{:?}", facts.profile) };
        assert_eq!((other.current.objects, other.current.bytes, other.allocated.objects), (76, 76 * 128, 77));
        assert_eq!(site.stack.iter().map(function).collect::<Vec<_>>(), ["main.build", "main.main"]);
        assert_eq!((site.current.objects, site.current.bytes, site.allocated.objects), (6, 6 * 64, 10));
        let [group] = facts.goroutines.groups.as_slice() else { panic!("{:?}", facts.capture.gaps) };
        assert_eq!(group.stack.iter().map(function).collect::<Vec<_>>(), ["runtime.gopark", "main.main"]);
        assert_eq!((group.count, group.state.name(), facts.goroutines.total), (1, "waiting", 1));
        assert_eq!(facts.goroutines.list.each.len(), 1);
        let heap = facts.heap.as_ref().unwrap();
        let [large] = heap.large.as_slice() else { panic!("{heap:?}") };
        assert_eq!((large.count, large.size, large.element.as_deref()), (2, 40_960, Some("main.block")));
        let minor = if flavour == Flavour::Go22 { 22 } else { 27 };
        assert_eq!(
            (facts.target.go_minor, facts.target.go_version.as_str()),
            (minor, format!("go1.{minor}.0").as_str())
        );
        assert_eq!(
            (facts.target.pid, facts.target.module.path.as_str(), facts.target.stripped),
            (4711, "synth", false)
        );
        assert_eq!((facts.capture.phase.name(), facts.capture.reason.name()), ("core", "manual"));
    }
}

/// A core may come from another machine; whoever takes a capture of a process stands on the same kernel.
#[test]
fn a_cores_kernel_is_unknown() {
    let mut taken = taken(Flavour::Go27);
    let capture = decoded(&taken).facts.capture;
    assert_eq!((capture.kernel.as_str(), capture.lastgasp_version.as_str()), ("", "1.2.3"));
    taken.phase = Phase::Manual;
    assert_eq!(decoded(&taken).facts.capture.kernel, "9.9.9-here");
}

/// Copying and decoding stumble over the same: it is said once.
#[test]
fn a_gap_is_said_once() {
    let mut taken = taken(Flavour::Go27);
    let before = decoded(&taken).facts.capture.gaps;
    let gap = lastgasp_goruntime::Gap::new("goroutines", "of a test");
    taken.evidence.gaps.extend([gap.clone(), gap]);
    let after = decoded(&taken).facts.capture.gaps;
    assert_eq!(after.len(), before.len() + 1, "{after:?}");
}

/// What the first attempt stumbled over is decoded again with less of it: the profile and the goroutines are
/// there, and what is not is a gap.
#[test]
fn with_less_it_names_the_sites_all_the_same() {
    let mut taken = taken(Flavour::Go27);
    let whole = decoded(&taken).facts;
    taken.reduce("of a test");
    let less = decoded(&taken).facts;
    assert_eq!((&less.profile.sites, less.goroutines.total), (&whole.profile.sites, whole.goroutines.total));
    assert_eq!((whole.heap.is_some(), less.heap), (true, None));
    assert!(less.capture.gaps.iter().any(|gap| gap.what == "decoding" && gap.why == "of a test"));
}
