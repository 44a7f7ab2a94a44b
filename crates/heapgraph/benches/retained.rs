//! What a heap as a graph costs, in time and memory: `cargo bench -p lastgasp-heapgraph -- [MILLIONS...]`.
//!
//! The heap is made up to be like a service's: records with a string each and shared categories, lists, an
//! index of arrays, maps of boxed values, ten thousand goroutines in groups that hold requests; a tenth is
//! garbage. Its pointers go into the writers as fast as they can be computed, so that "write" is what a
//! reader of memory has to add to its own time. Memory is the peak of the process in each phase, over what it
//! had before there was a heap; processor time beside wall, both cores.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use lastgasp_heapgraph::{Dominators, EdgePart, EdgeWriter, Graph, HeapLayout, Holder, ObjectId, Paths, Roots, Span};

const SPAN: u64 = 8 << 10;

fn main() {
    // Cargo gives `--bench` along.
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [_, objects, shape] = &args[..]
        && args[0] == "one"
    {
        let shape = if shape == "Tangled" { Shape::Tangled } else { Shape::Service };
        return measure(objects.parse().unwrap(), shape);
    }
    let named: Vec<f64> = args.iter().filter_map(|a| a.parse().ok()).collect();
    let service = if named.is_empty() { vec![1.0, 4.0] } else { named };
    let heaps = service.into_iter().map(|millions| (millions, Shape::Service)).chain([(4.0, Shape::Tangled)]);
    for (millions, shape) in heaps {
        // Each in a process of its own: what an allocator keeps of the one before is not counted.
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let objects = (millions * 1e6) as u64;
        assert!(child.args(["one", &objects.to_string(), &format!("{shape:?}")]).status().unwrap().success());
    }
}

/// One kind of object, in spans of its own.
#[derive(Clone, Copy)]
struct Kind {
    base: u64,
    slot_bytes: u64,
    count: u64,
}

impl Kind {
    fn per_span(&self) -> u64 {
        SPAN / self.slot_bytes
    }

    fn spans(&self) -> u64 {
        self.count.div_ceil(self.per_span())
    }

    fn address(&self, i: u64) -> u64 {
        let i = i % self.count;
        self.base + i / self.per_span() * SPAN + i % self.per_span() * self.slot_bytes
    }
}

/// The kinds; all of them are side by side as size classes are in an arena.
struct Heap {
    records: Kind,
    strings: Kind,
    categories: Kind,
    links: Kind,
    arrays: Kind,
    boxes: Kind,
    requests: Kind,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// As told above.
    Service,
    /// Records alone, each of which points to any two: the most that can be asked of memory for so many
    /// pointers.
    Tangled,
}

fn mixed(n: u64) -> u64 {
    let n = (n ^ n >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    n ^ n >> 29
}

impl Heap {
    fn new(objects: u64, shape: Shape) -> Self {
        let mut base = 0xc0_0000_0000;
        let mut kind = |slot_bytes, share: f64| {
            let share = if shape == Shape::Service { share } else { f64::from(slot_bytes == 64) };
            let kind = Kind { base, slot_bytes, count: ((objects as f64 * share) as u64).max(1) };
            base += kind.spans() * SPAN + 5 * SPAN;
            kind
        };
        Self {
            records: kind(64, 0.30),
            strings: kind(24, 0.40),
            categories: kind(32, 0.0002),
            links: kind(48, 0.12),
            arrays: kind(1024, 0.003),
            boxes: kind(16, 0.15),
            requests: kind(96, 0.0268),
            shape,
        }
    }

    fn kinds(&self) -> [Kind; 7] {
        [self.records, self.strings, self.categories, self.links, self.arrays, self.boxes, self.requests]
    }

    /// The words of object `i` of a kind.
    fn words(&self, kind: usize, i: u64, word: &mut impl FnMut(u64)) {
        match kind {
            0 if self.shape == Shape::Tangled => {
                word(self.records.address(mixed(i)));
                word(self.records.address(mixed(i + self.records.count)));
            }
            // A string of its own, a category of all, sometimes another record: near it, or anywhere.
            0 => {
                word(self.strings.address(i));
                word(0);
                word(self.categories.address(mixed(i)));
                match i % 8 {
                    0 => word(self.records.address(mixed(i))),
                    1..4 => word(self.records.address(i + 3)),
                    _ => word(0x40_0000 + i),
                }
            }
            // A list of 5,000: the next one, its value, a second string for every third.
            3 => {
                if i % 5000 != 4999 {
                    word(self.links.address(i + 1));
                }
                word(self.records.address(i * 2));
                if i.is_multiple_of(3) {
                    word(self.strings.address(self.records.count + i / 3));
                }
            }
            // The index: nine of ten records, 128 in each.
            4 => (0..128)
                .filter(|w| !(i * 128 + w).is_multiple_of(10))
                .for_each(|w| word(self.records.address(i * 128 + w))),
            // Boxed values, four a request, and the record that is asked for.
            6 => {
                (0..5).for_each(|w| word(self.boxes.address(i * 5 + w)));
                word(self.records.address(mixed(i)));
                word(self.links.address(i / 50 * 5000));
            }
            _ => {}
        }
    }

    /// The pointers of some kinds, which lie one behind another.
    fn write(&self, layout: &HeapLayout, kinds: std::ops::Range<usize>) -> EdgePart {
        let mut writer = EdgeWriter::new(layout);
        for kind in kinds.filter(|k| matches!(k, 0 | 3 | 4 | 6)) {
            let of = self.kinds()[kind];
            for i in 0..of.count {
                let Some(object) = layout.object_at(of.address(i)) else { continue };
                writer.object(object);
                self.words(kind, i, &mut |w| {
                    writer.pointer(w);
                });
            }
        }
        writer.finish()
    }
}

fn measure(objects: u64, shape: Shape) {
    let heap = Heap::new(objects, shape);
    println!("\n{:.1} million objects, {shape:?}", objects as f64 / 1e6);
    println!("{:<34} {:>8} {:>8} {:>10} {:>14}", "", "wall s", "CPU s", "ns/object", "peak B/object");
    let phases = Phases { objects: objects as f64, before: memory("VmRSS") };
    let layout = phases.time("layout", || {
        let spans = heap.kinds().into_iter().flat_map(|k| {
            (0..k.spans()).map(move |s| Span {
                base: k.base + s * SPAN,
                slot_bytes: k.slot_bytes,
                slots: (k.count - s * k.per_span()).min(k.per_span()) as u32,
            })
        });
        let mut layout = HeapLayout::new(spans.collect());
        let count = layout.spans().len();
        for span in 0..count {
            layout.allocate_all(span);
        }
        layout
    });
    drop(phases.time("write, one thread", || heap.write(&layout, 0..7)));
    // Records have about half of the pointers.
    let parts = phases.time("write, two threads", || {
        std::thread::scope(|scope| {
            let records = scope.spawn(|| heap.write(&layout, 0..1));
            let others = heap.write(&layout, 1..7);
            vec![records.join().unwrap(), others]
        })
    });
    let roots = phases.time("roots", || {
        let mut roots = Roots::new();
        let globals: Vec<_> = (0..1000).map(|_| roots.root(None)).collect();
        // One array of ten is nobody's any more.
        for i in (0..heap.arrays.count).filter(|i| i % 10 != 3) {
            roots.hold(globals[i as usize % 1000], &layout, heap.arrays.address(i));
        }
        let groups: Vec<_> = (0..200).map(|_| roots.group()).collect();
        let goroutines: Vec<_> = (0..10_000).map(|g| roots.root(Some(groups[g % 200]))).collect();
        roots.hold(globals[0], &layout, heap.records.address(0));
        for i in 0..heap.requests.count {
            roots.hold(goroutines[(i % 10_000) as usize], &layout, heap.requests.address(i));
        }
        roots
    });
    let graph = phases.time("graph", || Graph::new(layout, parts, roots, 2).unwrap());
    let live = phases.time("live and garbage alone", || graph.reach(|_| true).retained);
    let dominators = phases.time("dominators, retained sizes", || Dominators::of(&graph).unwrap());
    assert_eq!(live, dominators.total());
    phases.time("1,000 types, and whose they are", || {
        let of = |o| graph.layout().span_of(o).map(|s| s as u32 % 1000);
        dominators.by_group_and_owner(&graph, 1000, of)
    });
    phases.time("the hundred largest", || dominators.largest_objects(&graph, 100));
    phases.time("one group together", || {
        dominators.retained_together(&graph, |h| matches!(h, Holder::Root(r) if r.0 % 3 == 0))
    });
    drop(dominators);
    let paths = phases.time("shortest paths", || Paths::of(&graph, |_| true));
    let string = graph.layout().object_at(heap.strings.address(77)).unwrap();
    phases.time("one path to a leaf", || paths.to(&graph, string).unwrap());
    let spans = |o: ObjectId| graph.layout().span_of(o).unwrap_or(0);
    let label = |_: Holder, to: Holder| if let Holder::Object(o) = to { spans(o) as u64 / 5000 } else { 1 };
    phases.time("paths of all, merged", || paths.merged(&graph, |_| true, label, 10_000));
    println!(
        "{} pointers, {:.2} B each; {:.1} % of the objects have a number; live {:.1} %",
        graph.pointers(),
        graph.pointer_memory() as f64 / graph.pointers() as f64,
        graph.numbered() as f64 / objects as f64 * 100.0,
        f64::from(live.objects) / objects as f64 * 100.0
    );
}

struct Phases {
    objects: f64,
    before: f64,
}

impl Phases {
    fn time<T>(&self, name: &str, work: impl FnOnce() -> T) -> T {
        // The peak begins anew.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (start, cpu) = (Instant::now(), processor_time());
        let out = work();
        let (wall, cpu) = (start.elapsed().as_secs_f64(), processor_time() - cpu);
        let peak = (memory("VmHWM") - self.before) / self.objects;
        println!("{name:<34} {wall:>8.2} {cpu:>8.2} {:>10.1} {peak:>14.1}", wall * 1e9 / self.objects);
        out
    }
}

/// Bytes, of a line of the kernel's that has KiB.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// Seconds of all threads; the kernel counts hundredths.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
