//! Who keeps what: the objects of a heap, their pointers and the roots as a graph; what is garbage; of each
//! object, root, group of roots, and group of objects how much it keeps alive; and by which way it is kept
//! itself.
//!
//! It knows nothing of Go. Somebody who does gives it spans, allocated slots, pointers as they are read, and
//! roots; types and names come in as closures and numbers.
//!
//! - `layout`: spans, and a number for each slot.
//! - `edges`: pointers in about two bytes each, written once and in order.
//! - `roots`: what holds objects from outside, and groups of it.
//! - `graph`: these together; which objects need a number of their own.
//! - `reach`: live and garbage, and what would be live without some.
//! - `walk`: the same, from roots that are found one by one.
//! - `dominators`: retained sizes.
//! - `paths`: shortest ways from roots, alone and merged.
//!
//! Memory is what bounds it: a heap of thirty million objects is to fit beside what reads it. An object costs
//! bits; one with pointers, or with several holders, 16 bytes while dominators are there. Foreign numbers
//! size nothing but sets of bits, bounded by [`MAX_SLOTS`]; nothing is recursive; no order or depth makes a
//! walk longer than pointers times the logarithm of objects.
//!
//! ```
//! use lastgasp_heapgraph::{Dominators, EdgeWriter, Graph, HeapLayout, Holder, ObjectId, Paths, Roots, Span};
//!
//! // Eight slots of 32 bytes, of which five hold objects: 0 -> 1 -> 2, 0 -> 2; 3 -> 4 is garbage.
//! let mut layout = HeapLayout::new(vec![Span { base: 0xc000_0000, slot_bytes: 32, slots: 8 }]);
//! layout.allocate(0, [0b1_1111]);
//! let mut writer = EdgeWriter::new(&layout);
//! let found = [(0, vec![0xc000_0020, 0xc000_0040]), (1, vec![0xc000_0048]), (3, vec![0xc000_0080])];
//! for (from, words) in found {
//!     writer.object(ObjectId(from));
//!     words.into_iter().for_each(|word| drop(writer.pointer(word)));
//! }
//! let pointers = writer.finish();
//! let mut roots = Roots::new();
//! let cache = roots.root(None);
//! roots.hold(cache, &layout, 0xc000_0000);
//!
//! let graph = Graph::new(layout, vec![pointers], roots, 2)?;
//! let dominators = Dominators::of(&graph)?;
//! assert_eq!(dominators.total().bytes, 96);
//! assert_eq!(dominators.dominator(&graph, Holder::Object(ObjectId(2))), Some(Holder::Object(ObjectId(0))));
//! assert_eq!(dominators.retained(&graph, Holder::Object(ObjectId(1))).unwrap().bytes, 32);
//! assert_eq!(dominators.retained(&graph, Holder::Object(ObjectId(3))), None);
//! let way = Paths::of(&graph, |_| true).to(&graph, ObjectId(2)).unwrap();
//! assert_eq!(way, [Holder::Root(cache), Holder::Object(ObjectId(0)), Holder::Object(ObjectId(2))]);
//! # Ok::<(), lastgasp_heapgraph::TooLarge>(())
//! ```

mod bits;
mod dominators;
mod edges;
mod graph;
mod layout;
mod paths;
mod reach;
mod retained;
mod roots;
mod walk;

pub use bits::Bits;
pub use dominators::{Dominators, GroupTotals, TopNode};
pub use edges::{EdgePart, EdgeWriter, Refused};
pub use graph::{Graph, Holder, TooLarge};
pub use layout::{HeapLayout, MAX_SLOTS, ObjectId, Span};
pub use paths::{Paths, Step};
pub use reach::Reach;
pub use retained::Retained;
pub use roots::{GroupId, RootId, Roots};
pub use walk::Walk;
