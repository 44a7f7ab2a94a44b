//! What the words of a value are that hold pointers, and so what stands where they point to. Source: the
//! sizes and forms of `reflect/value.go` and `runtime/{slice,string,iface,chan}.go`; which words are
//! pointers: `cmd/compile/internal/typebits`.

use std::sync::Arc;

use lastgasp_inferior::Addr;

use super::go_type::{GoType, Shape};
use super::kind::Kind;
use super::reader::TypeReader;

/// Structs within arrays within structs that are gone into.
const MAX_DEPTH: usize = 256;
/// Words of one value that are listed.
const MAX_LISTED: usize = 4096;

/// A word that holds a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// A `*T`: a `T` stands there, or is a part of what does. Named is `T`.
    Pointer(Addr),
    /// The first word of a `[]T`: some `T` in a row, as many as the slice's capacity, perhaps from the middle
    /// of an array on. Named is `T`.
    Slice(Addr),
    /// The first word of a string: its bytes.
    String,
    /// A map; named is the map's type. A map header stands there.
    Map(Addr),
    /// A channel; named is the channel's type. `runtime.hchan` stands there.
    Chan(Addr),
    /// A function value: a closure, the first word of which is the address of code.
    Func,
    /// The second word of an interface; the first, eight bytes before, names the type of what stands there:
    /// itself where the interface has no methods, else in an interface table.
    Interface {
        /// Whether the first word is the address of an interface table.
        table: bool,
    },
    /// An `unsafe.Pointer`: nothing is known of what stands there.
    Unsafe,
}

impl TypeReader<'_> {
    /// What the pointer at `offset` bytes into a value is; `None` where the type has none there. Behind the
    /// value's end stand others of the type, as in an array.
    pub fn word_at(&mut self, of: Addr, offset: u64) -> Option<Word> {
        let (mut of, mut offset) = (self.get(of)?, offset);
        if of.size == 0 {
            return None;
        }
        offset %= of.size;
        for _ in 0..MAX_DEPTH {
            let inner = match &of.shape {
                Shape::Struct { fields } => {
                    if let Some((at, word)) = self.atomic_pointer(&of) {
                        return (at == offset).then_some(word);
                    }
                    let behind = fields.partition_point(|f| f.offset <= offset);
                    // Fields without size stand where others do: the last of them is the one that is meant.
                    let field = fields.get(behind.checked_sub(1)?)?;
                    offset -= field.offset;
                    let inner = self.get(field.type_at)?;
                    (offset < inner.size).then_some(inner)?
                }
                Shape::Array { elem, .. } => {
                    let inner = self.get(*elem)?;
                    offset = offset.checked_rem(inner.size)?;
                    inner
                }
                _ => return own_word(&of).filter(|(at, _)| *at == offset).map(|(_, word)| word),
            };
            of = inner;
        }
        None
    }

    /// The pointers of one value of a type, by offset; of an array those of its elements too. `None` where
    /// there are too many to list, or a part makes no sense: [`TypeReader::word_at`] looks up one.
    pub fn words(&mut self, of: Addr) -> Option<Vec<(u64, Word)>> {
        let mut listed = Vec::new();
        let mut todo: Vec<(Arc<GoType>, u64)> = vec![(self.get(of)?, 0)];
        let mut steps = 0;
        while let Some((of, base)) = todo.pop() {
            steps += 1;
            if steps > 4 * MAX_LISTED {
                return None;
            }
            if of.noscan() {
                continue;
            }
            if let Some((at, word)) = self.atomic_pointer(&of) {
                listed.push((base.saturating_add(at), word));
                continue;
            }
            match &of.shape {
                Shape::Struct { fields } => {
                    for field in fields {
                        todo.push((self.get(field.type_at)?, base.checked_add(field.offset)?));
                    }
                }
                Shape::Array { elem, len } => {
                    let elem = self.get(*elem)?;
                    if *len > MAX_LISTED as u64 {
                        return None;
                    }
                    for i in 0..*len {
                        todo.push((Arc::clone(&elem), base.checked_add(i.checked_mul(elem.size)?)?));
                    }
                }
                _ => listed.extend(own_word(&of).map(|(at, word)| (base.saturating_add(at), word))),
            }
            if todo.len() + listed.len() > 4 * MAX_LISTED || listed.len() > MAX_LISTED {
                return None;
            }
        }
        listed.sort_unstable_by_key(|(at, _)| *at);
        Some(listed)
    }

    /// The pointer of a `sync/atomic.Pointer[T]`: to the compiler an `unsafe.Pointer`, but from Go 1.20 on an
    /// array of no `*T` stands beside it (`_ [0]*T`), so that pointers to different types do not convert.
    fn atomic_pointer(&mut self, of: &GoType) -> Option<(u64, Word)> {
        let fields = of.fields();
        // An entry of a `sync.Map` of Go 1.19, which has it from 1.20 on: `p unsafe.Pointer // *interface{}`.
        if &*of.name == "sync.entry"
            && let [p] = fields
            && self.get(p.type_at)?.kind == Kind::UnsafePointer
        {
            return Some((p.offset, Word::Pointer(self.named("interface {}")?)));
        }
        if !of.name.starts_with("atomic.Pointer[") {
            return None;
        }
        let mut elem = None;
        let mut at = None;
        for field in fields {
            let of = self.get(field.type_at)?;
            match &of.shape {
                Shape::Array { elem: pointer, len: 0 } => elem = self.get(*pointer)?.elem(),
                Shape::Plain if of.kind == Kind::UnsafePointer => at = Some(field.offset),
                _ => {}
            }
        }
        Some((at?, Word::Pointer(elem?)))
    }
}

/// The one pointer of a value that is no struct and no array, and where it stands in it.
fn own_word(of: &GoType) -> Option<(u64, Word)> {
    Some(match &of.shape {
        Shape::Pointer { elem } => (0, Word::Pointer(*elem)),
        Shape::Slice { elem } => (0, Word::Slice(*elem)),
        Shape::Chan { .. } => (0, Word::Chan(of.at)),
        Shape::Map(_) => (0, Word::Map(of.at)),
        Shape::Func => (0, Word::Func),
        Shape::Interface { methods } => (8, Word::Interface { table: *methods > 0 }),
        Shape::Plain if of.kind == Kind::String => (0, Word::String),
        Shape::Plain if of.kind == Kind::UnsafePointer => (0, Word::Unsafe),
        Shape::Plain | Shape::Struct { .. } | Shape::Array { .. } => return None,
    })
}
