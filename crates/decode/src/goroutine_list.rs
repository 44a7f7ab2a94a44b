//! Goroutines one by one: each names by index what it shares with others.

use std::sync::Arc;

use lastgasp_diagnosis::facts::{self, Ancestry, GoroutineList, Key, Kind, LabelSet, Place};
use lastgasp_goruntime::{Ancestor, Call, CallSite, Goroutine, Label, Status, is_system};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use crate::frames::Frames;
use crate::goroutines::waited_ms;

/// The goroutines but the runtime's own, in their order. `now_ns` is the target's clock (`CLOCK_MONOTONIC`)
/// at the copy; `code` is where its code starts.
pub(crate) fn list(goroutines: &[Goroutine], now_ns: u64, code: Addr, frames: &mut Frames) -> GoroutineList {
    let mut t = Tables {
        frames,
        code,
        kinds: FxHashMap::default(),
        calls: FxHashMap::default(),
        places: FxHashMap::default(),
        stacks: FxHashMap::default(),
        creators: FxHashMap::default(),
        labels: FxHashMap::default(),
        ancestors: FxHashMap::default(),
        // Most goroutines have neither labels nor ancestors: 0, a column of which is left out.
        out: GoroutineList {
            labels: vec![LabelSet::default()],
            ancestors: vec![Ancestry::default()],
            ..GoroutineList::default()
        },
    };
    let each = goroutines.iter().filter(|g| !is_system(g)).map(|g| t.one(g, now_ns)).collect();
    GoroutineList { each, ..t.out }
}

/// What goroutines of a kind have in common, before it is stored.
#[derive(PartialEq, Eq, Hash)]
struct KindKey<'a> {
    status: Status,
    wait_reason: &'static str,
    stack: u32,
    cut: Option<&'a str>,
    approximate: bool,
    left_out: bool,
    locked: bool,
    created_by: Option<u32>,
    stack_bytes: u64,
}

/// Tables that are filled, with the index of what stands in them: by value, or by the address of a list that
/// goroutines of the same do share.
struct Tables<'a, 'g> {
    frames: &'a mut Frames,
    code: Addr,
    kinds: FxHashMap<KindKey<'g>, u32>,
    calls: FxHashMap<facts::Call, u32>,
    places: FxHashMap<Place, u32>,
    stacks: FxHashMap<*const Call, u32>,
    creators: FxHashMap<*const CallSite, u32>,
    labels: FxHashMap<*const Label, u32>,
    ancestors: FxHashMap<*const Ancestor, u32>,
    out: GoroutineList,
}

/// Index of what is put at the end of a table.
fn push<T>(table: &mut Vec<T>, value: T) -> u32 {
    table.push(value);
    (table.len() - 1) as u32
}

impl<'g> Tables<'_, 'g> {
    fn one(&mut self, g: &'g Goroutine, now_ns: u64) -> facts::Goroutine {
        let key = KindKey {
            status: g.status,
            wait_reason: g.wait_reason,
            stack: self.stack(&g.stack),
            cut: g.cut.as_deref(),
            approximate: g.approximate,
            left_out: g.left_out,
            locked: g.locked,
            created_by: g.created_by.as_ref().map(|c| self.creator(c)),
            stack_bytes: g.stack_bytes,
        };
        facts::Goroutine {
            id: g.goid,
            kind: self.kind(key),
            parent: g.parent,
            waited_ms: waited_ms(g, now_ns).unwrap_or(0),
            labels: self.labels(&g.labels),
            ancestors: self.ancestors(&g.ancestors),
        }
    }

    fn kind(&mut self, key: KindKey<'g>) -> u32 {
        if let Some(i) = self.kinds.get(&key) {
            return *i;
        }
        let kind = Kind {
            state: key.status.name().into(),
            wait_reason: key.wait_reason.into(),
            stack: key.stack,
            cut: key.cut.map(str::to_owned),
            approximate: key.approximate,
            left_out: key.left_out,
            locked: key.locked,
            created_by: key.created_by,
            stack_bytes: key.stack_bytes,
        };
        let i = push(&mut self.out.kinds, kind);
        self.kinds.insert(key, i);
        i
    }

    fn stack(&mut self, stack: &Arc<[Call]>) -> u32 {
        let at = stack.as_ptr();
        if let Some(i) = self.stacks.get(&at) {
            return *i;
        }
        let calls = stack.iter().map(|c| self.call(c)).collect();
        let i = push(&mut self.out.stacks, facts::Stack { calls });
        self.stacks.insert(at, i);
        i
    }

    fn call(&mut self, c: &Call) -> u32 {
        let call = facts::Call {
            frame: self.frames.of(&c.frame),
            pc: c.pc.0.wrapping_sub(self.code.0),
            offset: c.offset,
            inlined: c.inlined,
            arguments: c.arguments,
            elided: c.elided,
            system: c.system,
        };
        *self.calls.entry(call).or_insert_with(|| push(&mut self.out.calls, call))
    }

    fn creator(&mut self, c: &Arc<CallSite>) -> u32 {
        let at = Arc::as_ptr(c);
        if let Some(i) = self.creators.get(&at) {
            return *i;
        }
        let place = self.place(c);
        self.creators.insert(at, place);
        place
    }

    fn place(&mut self, c: &CallSite) -> u32 {
        let function = (c.function != c.frame.function).then(|| c.function.clone());
        let place = Place { frame: self.frames.of(&c.frame), function, offset: c.offset };
        if let Some(i) = self.places.get(&place) {
            return *i;
        }
        let i = push(&mut self.out.places, place.clone());
        self.places.insert(place, i);
        i
    }

    fn labels(&mut self, labels: &Arc<[Label]>) -> u32 {
        if labels.is_empty() {
            return 0;
        }
        let set = || {
            let label = |l: &Label| facts::Label { key: l.key.clone(), value_hash: Key(l.value_hash) };
            LabelSet { labels: labels.iter().map(label).collect() }
        };
        *self.labels.entry(labels.as_ptr()).or_insert_with(|| push(&mut self.out.labels, set()))
    }

    fn ancestors(&mut self, ancestors: &Arc<[Ancestor]>) -> u32 {
        if ancestors.is_empty() {
            return 0;
        }
        let at = ancestors.as_ptr();
        if let Some(i) = self.ancestors.get(&at) {
            return *i;
        }
        let one = |a: &Ancestor| facts::Ancestor {
            id: a.goid,
            stack: a.stack.iter().map(|c| self.place(c)).collect(),
            created_by: a.created_by.as_ref().map(|c| self.place(c)),
        };
        let list = ancestors.iter().map(one).collect();
        let i = push(&mut self.out.ancestors, Ancestry { ancestors: list });
        self.ancestors.insert(at, i);
        i
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::{Depth, Frame, WaitsOn};

    use super::*;

    const CODE: Addr = Addr(0x40_0000);

    fn call(function: &str, pc: u64) -> Call {
        Call {
            frame: Frame { function: function.into(), file: "a.go".into(), line: 7 },
            pc: CODE.plus(pc),
            offset: Some(3),
            inlined: false,
            arguments: true,
            elided: false,
            system: false,
        }
    }

    fn site(function: &str, compiled_into: &str) -> CallSite {
        let frame = Frame { function: function.into(), file: "a.go".into(), line: 7 };
        CallSite { frame, function: compiled_into.into(), offset: Some(9) }
    }

    fn waiting(goid: u64) -> Goroutine {
        Goroutine {
            goid,
            status: Status::Waiting,
            wait_reason: "chan receive",
            wait_since_ns: 0,
            parent: 1,
            created_by: None,
            ancestors: Arc::new([]),
            start_function: Arc::new("main.work".into()),
            stack: Arc::new([]),
            cut: None,
            approximate: false,
            no_registers: None,
            left_out: false,
            locked: false,
            labels: Arc::new([]),
            stack_bytes: 2048,
            stack_used: 500,
            waits_on: WaitsOn::default(),
            depth: Depth::default(),
        }
    }

    #[test]
    fn what_goroutines_share_is_stored_once() {
        let stack: Arc<[Call]> = Arc::new([call("runtime.gopark", 16), call("main.work", 32)]);
        let labels: Arc<[Label]> = Arc::new([Label { key: "tenant".into(), value_hash: 5 }]);
        let creator = Arc::new(site("main.inlined", "main.main"));
        let alike = |goid| Goroutine {
            stack: Arc::clone(&stack),
            labels: Arc::clone(&labels),
            created_by: Some(Arc::clone(&creator)),
            ..waiting(goid)
        };
        let another = Goroutine { stack: Arc::new([call("main.work", 32)]), ..waiting(9) };
        let own = Goroutine { start_function: Arc::new("runtime.bgsweep".into()), ..waiting(2) };
        let mut frames = Frames::default();
        let got = list(&[alike(7), own, alike(8), another], 0, CODE, &mut frames);
        let ids: Vec<_> = got.each.iter().map(|g| (g.id, g.kind, g.labels, g.parent)).collect();
        assert_eq!(ids, [(7, 0, 1, 1), (8, 0, 1, 1), (9, 1, 0, 1)], "in their order, without the runtime's own");
        assert_eq!((got.kinds.len(), got.stacks.len(), got.calls.len(), got.places.len()), (2, 2, 2, 1));
        assert_eq!(got.stacks[1].calls, [1], "a call of two stacks");
        let call = &got.calls[1];
        assert_eq!(
            (frames.list[call.frame as usize].function.as_str(), call.pc, call.offset),
            ("main.work", 32, Some(3))
        );
        assert!(call.arguments && !call.inlined && !call.elided && !call.system);
        let place = &got.places[got.kinds[0].created_by.unwrap() as usize];
        assert_eq!((place.function.as_deref(), place.offset), (Some("main.main"), Some(9)));
        assert_eq!((got.labels[1].labels[0].key.as_str(), got.labels[1].labels[0].value_hash), ("tenant", Key(5)));
        assert!(got.labels[0].labels.is_empty() && got.ancestors.len() == 1);
    }

    #[test]
    fn what_makes_another_kind() {
        for (why, other, kinds) in [
            ("another wait, parent, number", Goroutine { wait_since_ns: 5, parent: 3, ..waiting(2) }, 1),
            ("a state", Goroutine { status: Status::Runnable, wait_reason: "", ..waiting(2) }, 2),
            ("a reason", Goroutine { wait_reason: "select", ..waiting(2) }, 2),
            ("a thread", Goroutine { locked: true, ..waiting(2) }, 2),
            ("a stack that ends early", Goroutine { cut: Some("not copied".into()), ..waiting(2) }, 2),
            ("one that was left out", Goroutine { left_out: true, ..waiting(2) }, 2),
            ("one without registers", Goroutine { approximate: true, ..waiting(2) }, 2),
            ("a size", Goroutine { stack_bytes: 4096, ..waiting(2) }, 2),
            ("a creator", Goroutine { created_by: Some(Arc::new(site("f", "f"))), ..waiting(2) }, 2),
        ] {
            // The stack is one list, as it is of goroutines that do the same.
            let first = waiting(1);
            let other = Goroutine { stack: Arc::clone(&first.stack), ..other };
            let got = list(&[first, other], 0, CODE, &mut Frames::default());
            assert_eq!((got.kinds.len(), got.each.len()), (kinds, 2), "{why}");
        }
    }

    #[test]
    fn waits_are_counted_up_to_the_copy() {
        const NOW: u64 = 90_000_000_000;
        for (since, ms) in
            [(0, 0), (-1, 0), (30_000_000_000, 60_000), (89_999_500_000, 0), (NOW as i64, 0), (i64::MAX, 0)]
        {
            let g = Goroutine { wait_since_ns: since, ..waiting(1) };
            assert_eq!(list(&[g], NOW, CODE, &mut Frames::default()).each[0].waited_ms, ms, "{since}");
        }
    }

    #[test]
    fn ancestors_are_places() {
        let ancestor =
            Ancestor { goid: 3, stack: vec![site("f", "f"), site("g", "h")], created_by: Some(site("f", "f")) };
        let g = Goroutine { ancestors: Arc::new([ancestor]), ..waiting(1) };
        let got = list(&[g, waiting(2)], 0, CODE, &mut Frames::default());
        assert_eq!(got.each.iter().map(|g| g.ancestors).collect::<Vec<_>>(), [1, 0]);
        let one = &got.ancestors[1].ancestors[0];
        assert_eq!((one.id, one.stack.as_slice(), one.created_by), (3, &[0, 1][..], Some(0)));
        assert_eq!(got.places[0].function, None, "the frame's own");
    }
}
