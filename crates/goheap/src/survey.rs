//! All that is said of a heap's collections: the census, copies, waste.

use std::time::{Duration, Instant};

use lastgasp_goruntime::collections::ReadBudget;
use lastgasp_goruntime::{Gap, TypeReader};
use lastgasp_heapgraph::ObjectId;

use crate::census::{self, Counted, largest};
use crate::collections::arrays::Arrays;
use crate::collections::channels::channels;
use crate::collections::map_types::MapTypes;
use crate::collections::maps::MapFinder;
use crate::copies::content::Contents;
use crate::copies::sites::Sites;
use crate::copies::{self, Copies, copies};
use crate::heap::Heap;
use crate::phases::Phases;
use crate::side_by_side::side_by_side;
use crate::waste::{self, Waste};
use crate::ways::Ways;

/// Slots or elements of the smallest map that is looked at: smaller ones cost more to look at than there is
/// to say of them.
const LEAST_MAP: u64 = 64;
/// What gaps are of.
const WHAT: &str = "collections";

/// How much is read and how long it takes at most.
#[derive(Clone, Copy, Debug)]
pub struct SurveyLimits {
    /// Bytes of headers and tables that are read to find maps.
    pub maps: u64,
    /// Bytes of content that are read to compare it.
    pub content: u64,
    /// Time for all of it; what is found by then is said.
    pub time: Duration,
}

impl Default for SurveyLimits {
    fn default() -> Self {
        Self { maps: 4 << 30, content: 8 << 30, time: Duration::from_secs(60) }
    }
}

/// What is said of collections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// The largest.
    pub census: Vec<Counted>,
    /// Those of equal content.
    pub copies: Vec<Copies>,
    /// What is kept and not used.
    pub waste: Vec<Waste>,
}

/// Collections that are told, without their owners: all of them that must be read of the process is.
pub struct Seen<'h> {
    heap: &'h Heap<'h>,
    largest: Vec<census::Found>,
    wasted: waste::Found,
    copies: Vec<copies::Told>,
}

impl Heap<'_> {
    /// Looks at all collections; `ways` are those of this heap.
    #[must_use]
    pub fn survey(&self, limits: SurveyLimits, gaps: &mut Vec<Gap>, phases: &mut Phases) -> Survey {
        self.collections(limits, gaps, phases).survey(&Ways::of(self), phases)
    }

    /// Finds them, compares what is in them, and chooses those that are told.
    #[must_use]
    pub fn collections(&self, limits: SurveyLimits, gaps: &mut Vec<Gap>, phases: &mut Phases) -> Seen<'_> {
        let until = Instant::now().checked_add(limits.time);
        let mut types = TypeReader::new(self.runtime, self.memory);
        // Neither needs anything of the other.
        let ((maps, unread), (arrays, gaps_of_arrays)) = side_by_side(
            || {
                let map_types = MapTypes::read(&mut types);
                let mut finder = MapFinder::new(self, &mut types, &map_types, LEAST_MAP);
                let maps = finder.all(&mut ReadBudget::of(limits.maps));
                (maps, finder.unread)
            },
            || {
                let mut gaps = Vec::new();
                (Arrays::read(self, &mut TypeReader::new(self.runtime, self.memory), &mut gaps), gaps)
            },
        );
        if unread > 0 {
            let why = format!("{unread} objects that may be maps could not be read, or a budget had ended");
            gaps.push(Gap::new(WHAT, why));
        }
        gaps.extend(gaps_of_arrays);
        if arrays.left_out > 0 {
            gaps.push(Gap::new(WHAT, format!("{} pointers to more arrays than are kept", arrays.left_out)));
        }
        phases.end("maps, beside them arrays");
        let ((largest, wasted), (copies, broken)) = side_by_side(
            || {
                let channels = channels(self, &mut types);
                let largest = largest(self, &mut types, &maps, &channels, &arrays);
                (largest, waste::found(self, &mut types, &maps, &arrays))
            },
            || {
                let mut types = TypeReader::new(self.runtime, self.memory);
                let mut contents = Contents::new(self.contents, ReadBudget::of(limits.content), until);
                let mut sites = Sites::new(self);
                let copies = copies(self, &mut types, &maps, &arrays, &mut contents, &mut sites);
                (copies, contents.broken)
            },
        );
        if copies.iter().any(|told| !told.is_of_content()) {
            gaps.push(Gap::new(WHAT, "the content of some that are alike was not compared: a budget had ended"));
        }
        if broken > 0 {
            let why = format!("the content of {broken} that are alike by shape could not be read");
            gaps.push(Gap::new(WHAT, why));
        }
        phases.end("copies, beside them census and waste");
        Seen { heap: self, largest, wasted, copies }
    }
}

impl Seen<'_> {
    /// Looks for who holds them, and `others` of which that will be asked.
    pub fn look_for_holders(&self, others: impl Iterator<Item = ObjectId>) {
        let copies = self.copies.iter().flat_map(|told| &told.objects).copied();
        let largest = self.largest.iter().map(|found| found.object);
        self.heap.look_for_holders(largest.chain(self.wasted.asked_for()).chain(copies).chain(others).collect());
    }

    /// What is said of them, with the owners of all of them.
    #[must_use]
    pub fn survey(mut self, ways: &Ways<'_, '_>, phases: &mut Phases) -> Survey {
        self.look_for_holders(std::iter::empty());
        waste::settle(self.heap, &mut self.wasted);
        let objects: Vec<ObjectId> =
            self.largest.iter().map(|found| found.object).chain(self.wasted.objects()).collect();
        let mut ways = ways.to_many(&objects).into_iter();
        let census = census::census(self.heap, self.largest, &mut ways);
        let waste = waste::waste(self.wasted, &mut ways);
        let copies = self.copies.into_iter().map(|told| told.held(self.heap)).collect();
        phases.end("owners of collections");
        Survey { census, copies, waste }
    }
}
