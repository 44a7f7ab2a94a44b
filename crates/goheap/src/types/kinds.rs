//! What an object may be said to be, numbered, with its name and what its pointers are.

use std::fmt::Write as _;
use std::sync::Arc;

use lastgasp_goruntime::types::{CodeTypes, MapForm, MapLayout, Shape, Word};
use lastgasp_goruntime::{GoType, TypeReader};
use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

/// Most kinds that are told apart.
const MAX_KINDS: usize = 1 << 22;
/// No kind: nothing is known of the object.
pub(crate) const UNTYPED: u32 = 0;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// One value of the type at an address.
    One(Addr),
    /// Values of the type at an address in a row: the array behind a slice.
    Array(Addr),
    /// The bytes of a string.
    String,
    /// The header of a map of the type at an address (`runtime.hmap`, `internal/runtime/maps.Map`).
    Map(Addr),
    /// A bucket or group alone, of a map of the type at an address.
    MapRun(Addr),
    /// An array of buckets or groups.
    MapRuns(Addr),
    /// The array of a map's tables.
    MapDirectory(Addr),
    /// `internal/runtime/maps.table`.
    MapTable(Addr),
    /// `runtime.mapextra`: overflow buckets of maps without pointers.
    MapExtra(Addr),
    /// A slice of them, and the array behind it.
    MapOverflow(Addr),
    MapOverflows(Addr),
    /// A channel of which the element's type is known: `runtime.hchan`, its buffer behind it where elements
    /// hold no pointers.
    Chan(Addr),
    /// A closure, by the address of its code.
    Closure(Addr),
    /// A structure of the runtime's own, by its name.
    Runtime(&'static str),
}

/// A pointer of an object, and what stands where it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// As the program's types have it.
    Word(Word),
    /// An object of that kind, at its start.
    Whole(Kind),
    /// The array behind a runtime's slice or a map's; its length is not said beside it.
    Array(Kind),
}

/// What the pointers of an object of a kind are.
#[derive(Clone, Debug, Default)]
pub(crate) enum Plan {
    /// Not known, or there are none.
    #[default]
    Nothing,
    /// As listed, by offset; the list is the whole of `bytes`, and begins anew behind them where it is
    /// `repeated`.
    Listed { bytes: u64, repeated: bool, words: Arc<[(u64, Target)]> },
    /// As many as a type has: asked for one by one.
    Asked { of: Addr, bytes: u64, repeated: bool },
    /// As listed; of what is not listed nothing is known.
    Partly { words: Arc<[(u64, Target)]> },
}

/// A kind, with what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    /// Bytes of one value, where the kind says it.
    pub(crate) bytes: Option<u64>,
    /// Whether values hold pointers, where the kind says it.
    pub(crate) noscan: Option<bool>,
    pub(crate) plan: Plan,
}

impl Known {
    /// Whether anything follows from an object of the kind.
    pub(crate) fn has_plan(&self) -> bool {
        !matches!(self.plan, Plan::Nothing)
    }
}

/// All kinds that were met.
pub(crate) struct Kinds {
    numbers: FxHashMap<Kind, u32>,
    known: Vec<Known>,
    closures: Closures,
}

/// What closures are, as far as code says it.
#[derive(Default)]
pub(crate) struct Closures {
    /// By where their code begins: the type of the structure that has it and what it captures.
    of: FxHashMap<Addr, Addr>,
    /// These types.
    types: FxHashSet<Addr>,
}

impl Closures {
    /// Those of the program's code whose structures look like one.
    pub(crate) fn of(code: &CodeTypes, types: &mut TypeReader<'_>) -> Self {
        let is_one = |types: &mut TypeReader<'_>, at: Addr| {
            let Some(GoType { shape: Shape::Struct { fields }, .. }) = types.get(at).as_deref().cloned() else {
                return false;
            };
            let first = fields.first().map(|f| (f.offset, f.type_at));
            types.is_static(at)
                && first.is_some_and(|(offset, of)| offset == 0 && types.get(of).is_some_and(|t| &*t.name == "uintptr"))
        };
        let of: FxHashMap<Addr, Addr> = code.closures().filter(|(_, at)| is_one(types, *at)).collect();
        Self { types: of.values().copied().collect(), of }
    }

    /// Whether a structure of the type is a closure.
    pub(crate) fn has(&self, of: Addr) -> bool {
        self.types.contains(&of)
    }

    /// The type of the structure of a closure.
    pub(crate) fn type_of(&self, code: Addr) -> Option<Addr> {
        self.of.get(&code).copied()
    }
}

impl Kinds {
    pub(crate) fn new(closures: Closures) -> Self {
        let nothing = Known { kind: Kind::Runtime(""), bytes: None, noscan: None, plan: Plan::Nothing };
        Self { numbers: FxHashMap::default(), known: vec![nothing], closures }
    }

    /// What is known of closures.
    pub(crate) fn closures(&self) -> &Closures {
        &self.closures
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Known> {
        self.known.get(number as usize).filter(|_| number != UNTYPED)
    }

    /// All of them with their numbers.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &Known)> + '_ {
        (0..).zip(&self.known).skip(1)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The number of a kind; `None` for what makes no sense.
    pub(crate) fn number(&mut self, types: &mut TypeReader<'_>, kind: Kind) -> Option<u32> {
        if let Some(known) = self.numbers.get(&kind) {
            return (*known != UNTYPED).then_some(*known);
        }
        if self.known.len() >= MAX_KINDS {
            return None;
        }
        let number = known(types, &self.closures, kind).map_or(UNTYPED, |known| {
            self.known.push(known);
            (self.known.len() - 1) as u32
        });
        self.numbers.insert(kind, number);
        (number != UNTYPED).then_some(number)
    }
}

/// Offsets in `runtime.hmap` and in `internal/runtime/maps.Map` of pointers, the same in all releases that
/// have them.
const BUCKETS: u64 = 16;
const OLD_BUCKETS: u64 = 24;
const EXTRA: u64 = 40;
const DIRECTORY: u64 = 16;
const TABLE_GROUPS: u64 = 16;
/// Bytes of both headers, of a table, and of `runtime.mapextra`.
const MAP_BYTES: u64 = 48;
const TABLE_BYTES: u64 = 32;
const EXTRA_BYTES: u64 = 24;
const SLICE_BYTES: u64 = 24;
/// `hchan.buf`.
const CHAN_BUFFER: u64 = 16;

fn known(types: &mut TypeReader<'_>, closures: &Closures, kind: Kind) -> Option<Known> {
    let listed = |bytes: u64, words: &[(u64, Target)]| Plan::Listed { bytes, repeated: false, words: words.into() };
    let structure = |bytes: u64, plan: Plan| Some(Known { kind, bytes: Some(bytes), noscan: Some(false), plan });
    match kind {
        Kind::One(at) => {
            let of = types.get(at)?;
            let plan = plan_of(types, &of, false);
            (of.size > 0).then_some(Known { kind, bytes: Some(of.size), noscan: Some(of.noscan()), plan })
        }
        Kind::Array(at) => {
            let of = types.get(at)?;
            let plan = plan_of(types, &of, true);
            (of.size > 0).then_some(Known { kind, bytes: Some(of.size), noscan: Some(of.noscan()), plan })
        }
        Kind::String => Some(Known { kind, bytes: None, noscan: Some(true), plan: Plan::Nothing }),
        Kind::Map(at) => {
            let map = types.get(at)?.map()?.clone();
            let words: &[(u64, Target)] = match map.form {
                MapForm::Buckets => &[
                    (BUCKETS, Target::Array(Kind::MapRuns(at))),
                    (OLD_BUCKETS, Target::Array(Kind::MapRuns(at))),
                    (EXTRA, Target::Whole(Kind::MapExtra(at))),
                ],
                // A directory of tables, or one group: its length says it, which stands beside it.
                MapForm::Groups => &[(DIRECTORY, Target::Array(Kind::MapDirectory(at)))],
            };
            structure(MAP_BYTES, listed(MAP_BYTES, words))
        }
        Kind::MapRun(at) | Kind::MapRuns(at) => {
            let map = types.get(at)?.map()?.clone();
            let (words, noscan) = run_words(types, at, &map)?;
            let plan =
                Plan::Listed { bytes: map.run_bytes, repeated: matches!(kind, Kind::MapRuns(_)), words: words.into() };
            Some(Known { kind, bytes: Some(map.run_bytes), noscan: Some(noscan), plan })
        }
        Kind::MapDirectory(at) => {
            let plan =
                Plan::Listed { bytes: 8, repeated: true, words: [(0, Target::Whole(Kind::MapTable(at)))].into() };
            Some(Known { kind, bytes: Some(8), noscan: Some(false), plan })
        }
        Kind::MapTable(at) => {
            structure(TABLE_BYTES, listed(TABLE_BYTES, &[(TABLE_GROUPS, Target::Array(Kind::MapRuns(at)))]))
        }
        Kind::MapExtra(at) => {
            let words = [
                (0, Target::Whole(Kind::MapOverflow(at))),
                (8, Target::Whole(Kind::MapOverflow(at))),
                (16, Target::Whole(Kind::MapRun(at))),
            ];
            structure(EXTRA_BYTES, Plan::Partly { words: words.into() })
        }
        Kind::MapOverflow(at) => {
            structure(SLICE_BYTES, listed(SLICE_BYTES, &[(0, Target::Array(Kind::MapOverflows(at)))]))
        }
        Kind::MapOverflows(at) => {
            let words = [(0, Target::Whole(Kind::MapRun(at)))].into();
            structure(8, Plan::Listed { bytes: 8, repeated: true, words })
        }
        Kind::Chan(elem) => {
            types.get(elem)?;
            let plan = Plan::Partly { words: [(CHAN_BUFFER, Target::Array(Kind::Array(elem)))].into() };
            Some(Known { kind, bytes: None, noscan: None, plan })
        }
        Kind::Closure(code) if closures.type_of(code).is_some() => {
            let of = types.get(closures.type_of(code)?)?;
            let plan = plan_of(types, &of, false);
            Some(Known { kind, bytes: Some(of.size), noscan: Some(of.noscan()), plan })
        }
        Kind::Closure(_) | Kind::Runtime(_) => Some(Known { kind, bytes: None, noscan: None, plan: Plan::Nothing }),
    }
}

fn plan_of(types: &mut TypeReader<'_>, of: &GoType, repeated: bool) -> Plan {
    if of.noscan() {
        return Plan::Nothing;
    }
    // What the runtime names a bucket of a map: the word behind its slots leads to the next of its chain.
    let chained = of.name.starts_with("map.bucket[").then(|| of.size.saturating_sub(8));
    match types.words(of.at) {
        Some(words) => {
            let target = |(at, word): (u64, Word)| match word {
                Word::Unsafe if Some(at) == chained => (at, Target::Whole(Kind::One(of.at))),
                word => (at, Target::Word(word)),
            };
            Plan::Listed { bytes: of.size, repeated, words: words.into_iter().map(target).collect() }
        }
        None => Plan::Asked { of: of.at, bytes: of.size, repeated },
    }
}

/// The pointers of a bucket or group, and whether there are none.
fn run_words(types: &mut TypeReader<'_>, of: Addr, map: &MapLayout) -> Option<(Vec<(u64, Target)>, bool)> {
    let mut words = Vec::new();
    for (at, indirect, is_key) in [(map.key, map.indirect_key, true), (map.elem, map.indirect_elem, false)] {
        let one = if indirect { vec![(0, Word::Pointer(at))] } else { types.words(at)? };
        for slot in 0..lastgasp_goruntime::types::MAP_SLOTS {
            let from = if is_key { map.key_offset(slot) } else { map.elem_offset(slot) };
            words.extend(one.iter().map(|(at, word)| (from.saturating_add(*at), Target::Word(*word))));
        }
    }
    let noscan = words.is_empty();
    // Of maps without pointers the collector is not told of chains: `runtime.mapextra` keeps them.
    if let Some(next) = map.overflow_offset().filter(|_| !noscan) {
        words.push((next, Target::Whole(Kind::MapRun(of))));
    }
    words.sort_unstable_by_key(|(at, _)| *at);
    Some((words, noscan))
}

/// The name of a kind, as `%T` spells types.
pub(crate) fn name_of(types: &mut TypeReader<'_>, kind: Kind, function: &dyn Fn(Addr) -> Option<String>) -> String {
    let mut of = |at: Addr, before: &str| {
        let name = types.get(at).map_or_else(|| Arc::from("?"), |t| Arc::clone(&t.name));
        format!("{before}{name}")
    };
    match kind {
        Kind::One(at) | Kind::Map(at) => of(at, ""),
        Kind::Array(at) => of(at, "[]"),
        Kind::String => "string".into(),
        Kind::MapRun(at)
        | Kind::MapRuns(at)
        | Kind::MapDirectory(at)
        | Kind::MapTable(at)
        | Kind::MapExtra(at)
        | Kind::MapOverflow(at)
        | Kind::MapOverflows(at) => {
            let name = of(at, "");
            // The rest of `map[K]V`, as the runtime spells its own `map.group[K]V`.
            let rest = name.strip_prefix("map").unwrap_or(&name);
            match kind {
                Kind::MapRuns(_) => format!("[]map.{}{rest}", run_name(types, at)),
                Kind::MapDirectory(_) => format!("[]*map.table{rest}"),
                Kind::MapTable(_) => format!("map.table{rest}"),
                Kind::MapExtra(_) => format!("map.extra{rest}"),
                Kind::MapOverflow(_) | Kind::MapOverflows(_) => format!("[]*map.bucket{rest}"),
                _ => format!("map.{}{rest}", run_name(types, at)),
            }
        }
        Kind::Chan(at) => of(at, "chan "),
        Kind::Closure(code) => {
            let mut name = String::from("func closure");
            if let Some(function) = function(code) {
                let _ = write!(name, " {function}");
            }
            name
        }
        Kind::Runtime(name) => name.into(),
    }
}

fn run_name(types: &mut TypeReader<'_>, map: Addr) -> &'static str {
    match types.get(map).and_then(|t| t.map().map(|m| m.form)) {
        Some(MapForm::Groups) => "group",
        _ => "bucket",
    }
}
