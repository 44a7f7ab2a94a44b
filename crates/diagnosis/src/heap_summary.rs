//! What the heap holds, in words: by size, and by type where the runtime keeps it.

use crate::facts::{Heap, LargeObjects};
use crate::finding::Source;
use crate::units::{bytes, count, plural};

/// Where the numbers of the span table come from.
#[must_use]
pub fn heap_source(heap: &Heap) -> Source {
    if heap.running { Source::Estimated } else { Source::Exact }
}

/// Bytes and what they are, the most bytes first.
#[must_use]
pub fn heap_summary(heap: &Heap) -> Vec<(u64, String)> {
    let small = heap.classes.iter().map(|c| {
        let kind = if c.noscan { "without pointers" } else { "with pointers" };
        (c.object_bytes(), format!("{} of up to {} {kind}", plural(c.objects, "object"), bytes(c.size)))
    });
    let left_out = heap.large_left_out;
    let left_out = (left_out.bytes, format!("{} of other sizes and types", plural(left_out.objects, "large object")));
    let large = heap.large.iter().map(|l| (l.total_bytes(), large(l))).chain([left_out]);
    let mut all: Vec<(u64, String)> = small.chain(large).collect();
    all.retain(|(n, _)| *n > 0);
    all.sort_by(|a, b| b.cmp(a));
    all
}

/// `24 objects of 18.9 MB, each 589,824 x map.group[int64]main.Item`.
fn large(l: &LargeObjects) -> String {
    let objects = format!("{} of {}", plural(l.count, "object"), bytes(l.size));
    match &l.element {
        Some(name) if l.element_size > 0 && l.size / 2 >= l.element_size => {
            format!("{objects}, each {} x {name}", count(l.size / l.element_size))
        }
        Some(name) => format!("{objects}, {name}"),
        None if l.noscan => format!("{objects} without pointers"),
        None => objects,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::HeapClass;

    /// Sizes are foreign numbers.
    #[test]
    fn hostile_sizes_do_not_overflow() {
        let class = HeapClass { size: u64::MAX, objects: 3, ..HeapClass::default() };
        let element = Some("[]byte".to_owned());
        let large =
            LargeObjects { count: 3, size: u64::MAX, element, element_size: u64::MAX, ..LargeObjects::default() };
        let heap = Heap { classes: vec![class], large: vec![large], ..Heap::default() };
        assert!(heap_summary(&heap).iter().all(|(n, _)| *n == u64::MAX));
    }

    #[test]
    fn the_most_bytes_first_with_types_where_known() {
        let heap = Heap {
            classes: vec![HeapClass { size: 1024, noscan: true, objects: 5000, ..HeapClass::default() }],
            large: vec![
                LargeObjects {
                    count: 24,
                    size: 18_874_368,
                    element: Some("map.group[int64]bool".into()),
                    element_size: 136,
                    ..LargeObjects::default()
                },
                LargeObjects { count: 1, size: 1 << 20, noscan: true, ..LargeObjects::default() },
            ],
            ..Heap::default()
        };
        let got: Vec<String> = heap_summary(&heap).into_iter().map(|(_, t)| t).collect();
        assert_eq!(
            got,
            [
                "24 objects of 18.9 MB, each 138,782 x map.group[int64]bool",
                "5,000 objects of up to 1.02 kB without pointers",
                "1 object of 1.05 MB without pointers",
            ]
        );
    }
}
