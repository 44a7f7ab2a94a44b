//! Where the program's code makes what a root keeps: of a program without a memory profile that is as near as
//! one comes to the line that allocated it. It is said only of types that few functions make, all of them
//! outside of the standard library: a `[]uint8` may come from anywhere.

use lastgasp_goruntime::types::{LibraryCall, Makes};
use lastgasp_goruntime::{Frame, Symbolizer};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use crate::functions::{is_of_program, is_standard};
use crate::heap::Heap;
use crate::roots::RootName;
use crate::types::{Mostly, ObjectType};

/// What more functions make is anyone's.
const MOST_PLACES: usize = 4;
/// Of callers of one function of a library more are told: who asks may know which of them it is.
const MOST_CALLERS: usize = 24;
/// Calls of one type that are looked at.
const MOST_CALLS: usize = 1 << 12;

/// Where objects of a type are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Whether they are maps, to which these places add.
    pub is_added_to: bool,
    /// The places, one of each function, by name; never none.
    pub places: Vec<Frame>,
}

/// Finds where types are made; what was found is remembered.
pub struct MadeIn<'h> {
    heap: &'h Heap<'h>,
    symbols: Symbolizer<'h>,
    known: FxHashMap<(Addr, Makes), Vec<Frame>>,
}

impl<'h> MadeIn<'h> {
    /// Of a heap's program.
    #[must_use]
    pub fn new(heap: &'h Heap<'h>) -> Self {
        let symbols = Symbolizer::new(heap.memory, &heap.runtime.module, heap.runtime.layout);
        Self { heap, symbols, known: FxHashMap::default() }
    }

    /// Where what a root keeps of a type is made; `None` where that is not known, or may be anywhere.
    pub fn of(&mut self, kept: &Mostly) -> Option<Made> {
        let (of, makes) = match kept.of {
            ObjectType::Value(of) => (of, Makes::Value),
            ObjectType::Values(of) => (of, Makes::Array),
            // A map is made once, and grows where something is put into it.
            ObjectType::Map(of) | ObjectType::MapRuns(of) => (of, Makes::Element),
            ObjectType::String | ObjectType::Chan(_) | ObjectType::Other => return None,
        };
        let places = match self.known.get(&(of, makes)) {
            Some(known) => known.clone(),
            None => {
                let found = self.places(of, makes).unwrap_or_default();
                self.known.insert((of, makes), found.clone());
                found
            }
        };
        (!places.is_empty()).then_some(Made { is_added_to: makes == Makes::Element, places })
    }

    /// Where a package variable without a name is written: its first word, as by who appends to it. Empty
    /// where that is not known, or may be anywhere.
    #[must_use]
    pub fn written(&self, root: &RootName) -> Vec<Frame> {
        let at = (root.at != Addr(0)).then_some(root.at);
        at.and_then(|at| self.places(at, Makes::Variable)).unwrap_or_default()
    }

    /// Where the program calls a library's function, one place of each function, by name; of dependencies
    /// only where these are few as well. Empty where that may be anywhere.
    #[must_use]
    pub fn called(&self, call: LibraryCall) -> Vec<Frame> {
        let module = &self.heap.runtime.build_info.module.path;
        let mut out: Vec<Frame> = Vec::new();
        for (n, at) in self.heap.makers.calls_of(call).enumerate() {
            if n >= MOST_CALLS {
                return Vec::new();
            }
            let own = self.symbols.frames(at).into_iter().find(|f| !is_standard(&f.function, module));
            if let Some(own) = own {
                add(&mut out, own);
            }
        }
        // Contexts and timers every dependency has for itself; memory that it maps is as large as the
        // program's.
        if out.len() > MOST_PLACES && call != LibraryCall::Mmap {
            out.retain(|f| is_of_program(&f.function, module));
        }
        out.sort_by(|a, b| (&a.function, a.line).cmp(&(&b.function, b.line)));
        if out.len() > MOST_CALLERS { Vec::new() } else { out }
    }

    fn places(&self, of: Addr, makes: Makes) -> Option<Vec<Frame>> {
        let module = &self.heap.runtime.build_info.module.path;
        let mut out: Vec<Frame> = Vec::new();
        for (n, call) in self.heap.makers.of(of, makes).enumerate() {
            // What is inlined into the program's own code is the program's.
            let own = self.symbols.frames(call).into_iter().find(|f| !is_standard(&f.function, module))?;
            add(&mut out, own);
            if out.len() > MOST_PLACES || n >= MOST_CALLS {
                return None;
            }
        }
        out.sort_by(|a, b| (&a.function, a.line).cmp(&(&b.function, b.line)));
        Some(out)
    }
}

/// Adds a place: of several lines of one function the first.
fn add(places: &mut Vec<Frame>, place: Frame) {
    match places.iter_mut().find(|f| f.function == place.function) {
        Some(known) if place.line < known.line => *known = place,
        Some(_) => {}
        None => places.push(place),
    }
}
