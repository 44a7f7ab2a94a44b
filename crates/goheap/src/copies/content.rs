//! Content as a number: equal for equal content, wherever it stands, in whatever order a map has it and
//! whatever seed its hashes have. The numbers have 128 bits and are salted anew each time, so that nobody can
//! make unequal content look equal; they are of this process and this look alone.
//!
//! Values are taken field by field, as what stands between fields may be anything. Strings, slices and
//! pointers are followed, to a depth; what lies deeper, and maps, channels and functions within values, are
//! equal where they are the same. So what is called equal is, and some that is equal is not seen.
//!
//! What is alike by its shape alone mostly differs at the first look, so there is a number of that look too:
//! where it differs, nothing more need be read.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Instant;

use lastgasp_goruntime::TypeReader;
use lastgasp_goruntime::collections::{MapReader, ReadBudget, SliceHeader, StringHeader};
use lastgasp_goruntime::types::{Kind, MapForm, MapLayout, Shape};
use lastgasp_inferior::{Addr, BlockCache, Memory};
use rustc_hash::FxHashMap;
use std::sync::Arc;

use crate::collections::maps::FoundMap;

/// Pointers within pointers that are followed.
const MAX_DEPTH: u8 = 3;
/// Pieces of one value.
const MAX_PIECES: usize = 512;
/// Bytes of one array that are read at once.
const WINDOW: usize = 256 << 10;
/// Values that wait to be followed, of one value.
const MAX_WAITING: usize = 1 << 16;
/// Entries after which the time is looked at.
const LOOK: u64 = 4096;
/// Elements of a slice that a first look takes, and bytes of each of three places where elements are bytes.
const GLANCE: u64 = 64;
const GLANCE_BYTES: u64 = 4096;

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    offset: u64,
    what: Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// So many bytes as they are.
    Raw(u64),
    String,
    /// A slice of a type.
    Slice(Addr),
    /// A pointer to a type.
    Pointer(Addr),
    /// An interface, with or without methods.
    Interface {
        table: bool,
    },
}

/// How values of a type are taken apart.
#[derive(Debug)]
struct Recipe {
    bytes: u64,
    pieces: Vec<Piece>,
}

impl Recipe {
    /// Whether it is all bytes, one behind the other, without gaps.
    fn is_flat(&self) -> bool {
        match self.pieces.as_slice() {
            [] => self.bytes == 0,
            [Piece { offset: 0, what: Part::Raw(n) }] => *n == self.bytes,
            _ => false,
        }
    }
}

/// A salted sum of words.
#[derive(Clone, Copy)]
struct Sum(u64, u64);

impl Sum {
    fn word(&mut self, word: u64) {
        // Two multiplications to 128 bits, folded, of keys that nobody knows.
        let fold = |a: u64, b: u64| {
            let wide = u128::from(a) * u128::from(b);
            (wide as u64) ^ (wide >> 64) as u64
        };
        self.0 = fold(self.0 ^ word, 0x9e37_79b9_7f4a_7c15).rotate_left(23) ^ self.1;
        self.1 = fold(self.1.wrapping_add(word), 0xd6e8_feb8_6659_fd93).rotate_left(29).wrapping_add(self.0);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for w in &mut words {
            self.word(w.try_into().map_or(0, u64::from_le_bytes));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.word(u64::from_le_bytes(last));
        }
        self.word(bytes.len() as u64);
    }

    /// That of one entry of two words at most, which is what nearly all large maps have: a third of the
    /// multiplications. Each half rests on both words by way of two of them, so that no sum of entries is the
    /// sum of their keys.
    fn of_words(self, first: u64, second: u64) -> u128 {
        let fold = |a: u64, b: u64| {
            let wide = u128::from(a) * u128::from(b);
            (wide as u64) ^ (wide >> 64) as u64
        };
        let (one, other) = (self.0 ^ 0x9e37_79b9_7f4a_7c15, self.1 ^ 0xd6e8_feb8_6659_fd93);
        let a = fold(first ^ self.0, second ^ self.1);
        let b = fold(first.rotate_left(32).wrapping_add(one), second.rotate_left(32).wrapping_add(other));
        u128::from(fold(a ^ other, b.wrapping_add(self.0))) << 64 | u128::from(fold(b ^ one, a.wrapping_add(self.1)))
    }

    fn finish(mut self) -> u128 {
        self.word(0x5bd1_e995);
        self.word(0x27d4_eb2f);
        u128::from(self.0) << 64 | u128::from(self.1)
    }
}

/// A key and a value of eight bytes each, or one of them of eight or sixteen alone, as words.
fn two_words(key: &[u8], elem: &[u8]) -> Option<(u64, u64)> {
    let word = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
    match (key.len(), elem.len()) {
        (8, 0) => Some((word(key)?, 0)),
        (8, 8) => Some((word(key)?, word(elem)?)),
        (16, 0) => key.split_at_checked(8).and_then(|(first, second)| Some((word(first)?, word(second)?))),
        _ => None,
    }
}

/// Why there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// Bytes or time are at their end.
    Budget,
    /// It could not be read, or was caught while being changed.
    Broken,
    /// All of it is zero: room that nobody has filled yet is no content (seen: the buffers of connections,
    /// and lab/programs/oracle, told as copies).
    Blank,
}

/// Takes content.
pub(crate) struct Contents<'h> {
    mem: BlockCache<&'h dyn Memory>,
    salt: Sum,
    recipes: FxHashMap<Addr, Option<Arc<Recipe>>>,
    pub(crate) budget: ReadBudget,
    /// Those that could not be read: memory that is gone, or was caught while being changed.
    pub(crate) broken: u64,
    until: Option<Instant>,
    buffer: Vec<u8>,
}

/// What a second thread needs for its numbers to be those of the first.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    salt: Sum,
    budget: ReadBudget,
    until: Option<Instant>,
}

impl<'h> Contents<'h> {
    pub(crate) fn new(mem: &'h dyn Memory, budget: ReadBudget, until: Option<Instant>) -> Self {
        let state = RandomState::new();
        let salt = Sum(state.hash_one(1), state.hash_one(2));
        Self::of(mem, Share { salt, budget, until })
    }

    /// On another thread, with half of the budget: what is left of that is to be given back.
    pub(crate) fn share(&mut self) -> Share {
        let mut budget = self.budget;
        budget.bytes /= 2;
        self.budget.bytes -= budget.bytes;
        Share { salt: self.salt, budget, until: self.until }
    }

    pub(crate) fn of(mem: &'h dyn Memory, Share { salt, budget, until }: Share) -> Self {
        Self {
            mem: BlockCache::new(mem),
            salt,
            recipes: FxHashMap::default(),
            budget,
            broken: 0,
            until,
            buffer: Vec::new(),
        }
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn recipe(&mut self, types: &mut TypeReader<'_>, of: Addr) -> Option<Arc<Recipe>> {
        if let Some(known) = self.recipes.get(&of) {
            return known.clone();
        }
        let made = recipe(types, of).map(Arc::new);
        self.recipes.insert(of, made.clone());
        made
    }

    /// Whether values of a type are bytes and nothing else.
    pub(crate) fn is_plain(&mut self, types: &mut TypeReader<'_>, of: Addr) -> bool {
        self.recipe(types, of).is_some_and(|r| r.is_flat())
    }

    /// Bytes of a slot of a map, where those are its content: a key and its value side by side, both of bytes
    /// and nothing else. What stands between them is never written.
    pub(crate) fn plain_slot(&mut self, types: &mut TypeReader<'_>, map: &FoundMap) -> Option<u64> {
        let l = &map.layout;
        match &map.of {
            None if l.elem_stride == 0 => return Some(l.key_stride),
            None => return Some(map.sizes.0 + map.sizes.1),
            Some(_) if l.indirect_key || l.indirect_elem => return None,
            Some(_) => {}
        }
        if !self.is_plain(types, l.key) || !self.is_plain(types, l.elem) {
            return None;
        }
        let side_by_side =
            l.key_stride == l.elem_stride && l.elems_at >= l.keys_at && l.elems_at - l.keys_at < l.key_stride.max(1);
        match l.form {
            MapForm::Groups if side_by_side || map.sizes.1 == 0 => Some(l.key_stride),
            MapForm::Groups => None,
            MapForm::Buckets => Some(map.sizes.0 + map.sizes.1),
        }
    }

    /// A first look at a map: what of its entries stands in the map itself.
    pub(crate) fn glance_at_map(
        &mut self,
        types: &mut TypeReader<'_>,
        reader: &mut MapReader<'_>,
        map: &FoundMap,
        plain: Option<u64>,
    ) -> Result<u128, NotRead> {
        let is_flat = |this: &mut Self, types: &mut TypeReader<'_>, of: &MapLayout| {
            this.is_plain(types, of.key) && this.is_plain(types, of.elem)
        };
        // What is bytes and nothing else is read once.
        if plain.is_some() || map.of.as_ref().is_none_or(|of| is_flat(self, types, &of.layout)) {
            return Ok(0);
        }
        self.entries(types, reader, map, plain, false)
    }

    /// A first look at values of a type in a row: some of them.
    pub(crate) fn glance_at_values(
        &mut self,
        types: &mut TypeReader<'_>,
        at: Addr,
        of: Addr,
        count: u64,
    ) -> Result<u128, NotRead> {
        let recipe = self.recipe(types, of).ok_or(NotRead::Broken)?;
        let mut sum = self.salt;
        let step = count.div_ceil(GLANCE).max(1);
        for i in (0..count).step_by(step as usize).chain(count.checked_sub(1)) {
            let from = recipe.bytes.checked_mul(i).and_then(|by| at.0.checked_add(by)).ok_or(NotRead::Broken)?;
            self.row(types, &recipe, Addr(from), 1, &mut sum)?;
        }
        Ok(sum.finish())
    }

    /// A first look at bytes: their beginning, middle and end.
    pub(crate) fn glance_at_bytes(&mut self, at: Addr, len: u64) -> Result<u128, NotRead> {
        if len < 4 * GLANCE_BYTES {
            return Ok(0);
        }
        let mut sum = self.salt;
        for from in [0, len / 2, len - GLANCE_BYTES] {
            self.raw(at.plus(from), GLANCE_BYTES, &mut sum)?;
        }
        Ok(sum.finish())
    }

    /// The content of a map: the sum of its entries, each by itself.
    pub(crate) fn map(
        &mut self,
        types: &mut TypeReader<'_>,
        reader: &mut MapReader<'_>,
        map: &FoundMap,
        plain: Option<u64>,
    ) -> Result<u128, NotRead> {
        self.entries(types, reader, map, plain, true)
    }

    /// The sum of a map's entries; without what they point to where that is not to be followed.
    fn entries(
        &mut self,
        types: &mut TypeReader<'_>,
        reader: &mut MapReader<'_>,
        map: &FoundMap,
        plain: Option<u64>,
        follow: bool,
    ) -> Result<u128, NotRead> {
        let recipes = match &map.of {
            Some(of) if plain.is_none() => {
                let key = self.recipe(types, of.layout.key).ok_or(NotRead::Broken)?;
                let elem = self.recipe(types, of.layout.elem).ok_or(NotRead::Broken)?;
                Some((key, elem)).filter(|(k, e)| !k.is_flat() || !e.is_flat())
            }
            _ => None,
        };
        // Of a group the slot as it is, whatever of it is the key.
        let whole = plain.filter(|_| map.layout.form == MapForm::Groups).map(|slot| {
            let layout =
                MapLayout { key_stride: slot, elems_at: map.layout.keys_at, elem_stride: 0, ..map.layout.clone() };
            (layout, (slot, 0))
        });
        let (layout, sizes) = whole.unwrap_or_else(|| (map.layout.clone(), map.sizes));
        let (mut sum, mut entries, mut failed) = (0u128, 0u64, None);
        let mut budget = self.budget;
        let walk = reader.walk(map.at, &layout, sizes, &mut budget, |e| {
            entries += 1;
            if entries % LOOK == 0 && self.is_late() {
                failed = Some(NotRead::Budget);
                return false;
            }
            if recipes.is_none()
                && let Some((first, second)) = two_words(e.key, e.elem)
            {
                sum = sum.wrapping_add(self.salt.of_words(first, second));
                return true;
            }
            let mut one = self.salt;
            match &recipes {
                None => {
                    one.bytes(e.key);
                    one.bytes(e.elem);
                }
                Some((key, elem)) => {
                    for (recipe, bytes) in [(key, e.key), (elem, e.elem)] {
                        let taken = if follow {
                            self.value(types, recipe, bytes, &mut one)
                        } else {
                            shallow(recipe, bytes, &mut one)
                        };
                        if let Err(why) = taken {
                            failed = Some(why);
                            return false;
                        }
                    }
                }
            }
            sum = sum.wrapping_add(one.finish());
            true
        });
        let spent = self.budget.bytes.saturating_sub(budget.bytes);
        self.budget.bytes = self.budget.bytes.saturating_sub(spent);
        match (failed, walk.is_whole(), &walk.broken) {
            (Some(why), ..) => Err(why),
            (None, true, _) => Ok(sum),
            (None, false, Some(lastgasp_goruntime::collections::Broken::Budget)) => Err(NotRead::Budget),
            _ => Err(NotRead::Broken),
        }
    }

    /// The content of values of a type in a row.
    pub(crate) fn values(
        &mut self,
        types: &mut TypeReader<'_>,
        at: Addr,
        of: Addr,
        count: u64,
    ) -> Result<u128, NotRead> {
        let recipe = self.recipe(types, of).ok_or(NotRead::Broken)?;
        let mut sum = self.salt;
        self.row(types, &recipe, at, count, &mut sum)?;
        Ok(sum.finish())
    }

    /// The content of bytes.
    pub(crate) fn bytes(&mut self, at: Addr, len: u64) -> Result<u128, NotRead> {
        let mut sum = self.salt;
        let is_blank = self.raw(at, len, &mut sum)?;
        if is_blank { Err(NotRead::Blank) } else { Ok(sum.finish()) }
    }

    fn take(&mut self, bytes: u64) -> Result<(), NotRead> {
        self.budget.bytes = self.budget.bytes.checked_sub(bytes).ok_or(NotRead::Budget)?;
        Ok(())
    }

    /// Whether all of it is zero.
    fn raw(&mut self, at: Addr, len: u64, sum: &mut Sum) -> Result<bool, NotRead> {
        self.take(len)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let (mut done, mut is_blank) = (0, true);
        while done < len {
            let n = (len - done).min(WINDOW as u64) as usize;
            buffer.resize(buffer.len().max(n), 0);
            let Some(bytes) = buffer.get_mut(..n) else { return Err(NotRead::Broken) };
            if self.mem.read(at.plus(done), bytes).is_err() {
                return Err(NotRead::Broken);
            }
            sum.bytes(bytes);
            is_blank = is_blank && bytes.iter().all(|b| *b == 0);
            done += n as u64;
        }
        self.buffer = buffer;
        sum.word(len);
        Ok(is_blank)
    }

    fn row(
        &mut self,
        types: &mut TypeReader<'_>,
        recipe: &Arc<Recipe>,
        at: Addr,
        count: u64,
        sum: &mut Sum,
    ) -> Result<(), NotRead> {
        let len = recipe.bytes.checked_mul(count).ok_or(NotRead::Broken)?;
        if recipe.is_flat() {
            return self.raw(at, len, sum).map(|_| ());
        }
        self.take(len)?;
        let size = usize::try_from(recipe.bytes).map_err(|_| NotRead::Broken)?.max(1);
        let per_read = (WINDOW / size).max(1) as u64;
        let mut done = 0;
        while done < count {
            let n = (count - done).min(per_read);
            let bytes = self.mem.bytes(at.plus(done * recipe.bytes), n as usize * size, WINDOW.max(size));
            let bytes = bytes.map_err(|_| NotRead::Broken)?;
            for value in bytes.chunks_exact(size) {
                self.value(types, recipe, value, sum)?;
            }
            if self.is_late() {
                return Err(NotRead::Budget);
            }
            done += n;
        }
        Ok(())
    }

    /// One value and what it points to.
    fn value(
        &mut self,
        types: &mut TypeReader<'_>,
        recipe: &Arc<Recipe>,
        bytes: &[u8],
        sum: &mut Sum,
    ) -> Result<(), NotRead> {
        // What is to be followed: values in a row of a type, and how deep they are.
        let mut waiting: Vec<(Arc<Recipe>, Addr, u64, u8)> = Vec::new();
        self.pieces(types, recipe, bytes, 0, sum, &mut waiting)?;
        while let Some((recipe, at, count, depth)) = waiting.pop() {
            let len = recipe.bytes.checked_mul(count).ok_or(NotRead::Broken)?;
            if recipe.is_flat() {
                self.raw(at, len, sum)?;
                continue;
            }
            if len > WINDOW as u64 {
                // The same place alone is equal.
                sum.word(at.0);
                continue;
            }
            self.take(len)?;
            let read = self.mem.bytes(at, len as usize, WINDOW).map_err(|_| NotRead::Broken)?;
            for value in read.chunks_exact((recipe.bytes as usize).max(1)) {
                self.pieces(types, &recipe, value, depth, sum, &mut waiting)?;
            }
            if waiting.len() > MAX_WAITING {
                return Err(NotRead::Broken);
            }
        }
        Ok(())
    }

    fn pieces(
        &mut self,
        types: &mut TypeReader<'_>,
        recipe: &Recipe,
        bytes: &[u8],
        depth: u8,
        sum: &mut Sum,
        waiting: &mut Vec<(Arc<Recipe>, Addr, u64, u8)>,
    ) -> Result<(), NotRead> {
        for piece in &recipe.pieces {
            let from = usize::try_from(piece.offset).map_err(|_| NotRead::Broken)?;
            let rest = bytes.get(from..).ok_or(NotRead::Broken)?;
            let word = |i: usize| rest.get(i..i + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes);
            let mut follow =
                |this: &mut Self, types: &mut TypeReader<'_>, sum: &mut Sum, of: Addr, at: Addr, n: u64| {
                    match this.recipe(types, of).filter(|_| depth < MAX_DEPTH) {
                        Some(recipe) if !at.is_null() => waiting.push((recipe, at, n, depth + 1)),
                        // The same place is equal.
                        _ => sum.word(at.0),
                    }
                };
            match &piece.what {
                Part::Raw(n) => sum.bytes(rest.get(..*n as usize).ok_or(NotRead::Broken)?),
                Part::String => {
                    let s = StringHeader::of(rest).ok_or(NotRead::Broken)?;
                    if s.len == 0 {
                        sum.word(0);
                    } else {
                        self.raw(s.data, s.len, sum)?;
                    }
                }
                Part::Slice(of) => {
                    let s = SliceHeader::of(rest).ok_or(NotRead::Broken)?;
                    sum.word(s.len);
                    if s.len > 0 {
                        follow(self, types, sum, *of, s.array, s.len);
                    }
                }
                Part::Pointer(of) => {
                    sum.word(u64::from(word(0) != 0));
                    follow(self, types, sum, *of, Addr(word(0)), 1);
                }
                Part::Interface { table } => {
                    let (first, data) = (Addr(word(0)), Addr(word(8)));
                    let of = if first.is_null() {
                        None
                    } else if *table {
                        types.of_itab(first)
                    } else {
                        types.get(first)
                    };
                    sum.word(first.0);
                    match of {
                        Some(of) if !of.direct_iface => follow(self, types, sum, of.at, data, 1),
                        _ => sum.word(data.0),
                    }
                }
            }
        }
        Ok(())
    }
}

/// What of a value stands in it: bytes, and how long strings and slices are.
fn shallow(recipe: &Recipe, bytes: &[u8], sum: &mut Sum) -> Result<(), NotRead> {
    for piece in &recipe.pieces {
        let from = usize::try_from(piece.offset).map_err(|_| NotRead::Broken)?;
        let rest = bytes.get(from..).ok_or(NotRead::Broken)?;
        match &piece.what {
            Part::Raw(n) => sum.bytes(rest.get(..*n as usize).ok_or(NotRead::Broken)?),
            Part::String => sum.word(StringHeader::of(rest).ok_or(NotRead::Broken)?.len),
            Part::Slice(_) => sum.word(SliceHeader::of(rest).ok_or(NotRead::Broken)?.len),
            Part::Pointer(_) | Part::Interface { .. } => {}
        }
    }
    Ok(())
}

/// Takes a type apart; `None` where it has too many parts, or makes no sense.
fn recipe(types: &mut TypeReader<'_>, of: Addr) -> Option<Recipe> {
    let whole = types.get(of)?;
    let mut pieces: Vec<Piece> = Vec::new();
    let mut todo = vec![(Arc::clone(&whole), 0u64)];
    let mut steps = 0;
    while let Some((of, at)) = todo.pop() {
        steps += 1;
        if steps > 4 * MAX_PIECES {
            return None;
        }
        let what = match &of.shape {
            Shape::Struct { fields } => {
                // From the last on, so that the first is taken next.
                for f in fields.iter().rev() {
                    todo.push((types.get(f.type_at)?, at.checked_add(f.offset)?));
                }
                continue;
            }
            Shape::Array { elem, len } => {
                let elem = types.get(*elem)?;
                if elem.noscan() && matches!(elem.shape, Shape::Plain) {
                    Part::Raw(of.size)
                } else {
                    if *len > MAX_PIECES as u64 {
                        return None;
                    }
                    for i in (0..*len).rev() {
                        todo.push((Arc::clone(&elem), at.checked_add(i.checked_mul(elem.size)?)?));
                    }
                    continue;
                }
            }
            Shape::Plain if of.kind == Kind::String => Part::String,
            Shape::Slice { elem } => Part::Slice(*elem),
            Shape::Pointer { elem } => Part::Pointer(*elem),
            Shape::Interface { methods } => Part::Interface { table: *methods > 0 },
            Shape::Plain | Shape::Func | Shape::Chan { .. } | Shape::Map(_) => Part::Raw(of.size),
        };
        if let (Some(Piece { offset, what: Part::Raw(n) }), Part::Raw(more)) = (pieces.last_mut(), &what)
            && *offset + *n == at
        {
            *n += more;
            continue;
        }
        if !matches!(what, Part::Raw(0)) {
            pieces.push(Piece { offset: at, what });
        }
        if pieces.len() > MAX_PIECES {
            return None;
        }
    }
    Some(Recipe { bytes: whole.size, pieces })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_short_entries_tell_sets_apart_that_have_much_in_common() {
        let state = RandomState::new();
        let salt = Sum(state.hash_one(1), state.hash_one(2));
        let sum = |entries: &[(u64, u64)]| {
            entries.iter().fold(0u128, |sum, (key, elem)| sum.wrapping_add(salt.of_words(*key, *elem)))
        };
        let set: Vec<(u64, u64)> = (0..1000).map(|i| (i, 0)).collect();
        let turned: Vec<(u64, u64)> = set.iter().rev().copied().collect();
        assert_eq!(sum(&set), sum(&turned));
        let mut other = set.clone();
        other[999] = (1000, 0);
        assert_ne!(sum(&set), sum(&other));
        // Of one sum of keys, of keys and values changed about, of the same bits elsewhere.
        for (a, b) in [
            (vec![(1, 0), (4, 0)], vec![(2, 0), (3, 0)]),
            (vec![(1, 2), (3, 4)], vec![(1, 4), (3, 2)]),
            (vec![(1, 2)], vec![(2, 1)]),
            (vec![(1 << 32, 0)], vec![(1, 0)]),
            (vec![(0, 1 << 32)], vec![(0, 1)]),
            (vec![(0, 0)], vec![]),
        ] {
            assert_ne!(sum(&a), sum(&b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn two_words_are_two_words() {
        let (one, two) = (1u64.to_le_bytes(), 2u64.to_le_bytes());
        assert_eq!(two_words(&one, &[]), Some((1, 0)));
        assert_eq!(two_words(&one, &two), Some((1, 2)));
        assert_eq!(two_words(&[one, two].concat(), &[]), Some((1, 2)));
        assert_eq!(two_words(&[one, two].concat(), &one), None);
        assert_eq!(two_words(&one[..4], &[]), None);
    }
}
