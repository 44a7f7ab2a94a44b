//! What keeps objects alive from outside the heap.

use crate::layout::{HeapLayout, ObjectId};

/// A root's number, in the order in which roots were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(pub u32);

/// A group's number, in the order in which groups were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// Roots (a package variable, a goroutine's frame, a finalizer), what each holds, and groups of them whose
/// retained size is asked for as one: the goroutines of one stack, the variables of one module.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// The group of each root.
    groups: Vec<Option<GroupId>>,
    count_of_groups: u32,
    /// Which root holds which object.
    held: Vec<(RootId, ObjectId)>,
    outside: u64,
}

impl Roots {
    /// No roots.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new group.
    pub fn group(&mut self) -> GroupId {
        self.count_of_groups += 1;
        GroupId(self.count_of_groups - 1)
    }

    /// A new root, in a group or in none. A group that was not made is none.
    pub fn root(&mut self, group: Option<GroupId>) -> RootId {
        self.groups.push(group.filter(|g| g.0 < self.count_of_groups));
        RootId(self.groups.len() as u32 - 1)
    }

    /// Says that `root` holds the object at `address`, and returns that object. What points to no object, and
    /// what no root holds, is counted and left out.
    pub fn hold(&mut self, root: RootId, layout: &HeapLayout, address: u64) -> Option<ObjectId> {
        let object = layout.object_at(address).filter(|_| (root.0 as usize) < self.groups.len());
        match object {
            Some(object) => self.held.push((root, object)),
            None => self.outside += 1,
        }
        object
    }

    /// How many roots there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.count_of_groups as usize
    }

    /// The group that a root is of.
    pub fn group_of(&self, root: RootId) -> Option<GroupId> {
        self.groups.get(root.0 as usize).copied().flatten()
    }

    /// How many addresses pointed to no object.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// By root, then object, each pair once. Made so by [`crate::Graph::new`].
    pub(crate) fn held(&self) -> &[(RootId, ObjectId)] {
        &self.held
    }

    /// What one root holds.
    pub fn held_by(&self, root: RootId) -> impl Iterator<Item = ObjectId> + '_ {
        let from = self.held.partition_point(|(r, _)| *r < root);
        self.held[from..].iter().take_while(move |(r, _)| *r == root).map(|(_, o)| *o)
    }

    pub(crate) fn tidy(&mut self, layout: &HeapLayout) {
        // Made with another layout: its objects may be none here.
        self.held.retain(|(_, o)| layout.is_allocated(*o));
        self.held.sort_unstable();
        self.held.dedup();
        self.held.shrink_to_fit();
    }
}
