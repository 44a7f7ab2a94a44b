//! What a sampled object was allocated as: the memory profile has the stack of its allocation, and the code
//! there hands the type to the runtime. Source: `runtime/{malloc,slice,map,chan,iface,string}.go` for who
//! takes which argument; Go's calling convention for where arguments are.
//!
//! Generic code may take the type from a dictionary, and reflection from anywhere: then nothing is said.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use super::reader::TypeReader;
use crate::arch::{self, Call};
use crate::binary::pclntab::Symbolizer;
use crate::bounds::MAX_BUCKETS;
use crate::profile_bucket::bucket_extent;
use crate::runtime::Runtime;

/// Frames of the runtime's own that are passed over.
const MAX_OWN: usize = 16;

/// What was allocated. What the types are of is said by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteType {
    /// One value.
    One(Addr),
    /// The array of a slice of such values.
    Many(Addr),
    /// One value or several: the code asks for bytes, and says the type.
    Either(Addr),
    /// A channel, or its buffer; the channel's type.
    Chan(Addr),
    /// A map's header or something behind it; the map's type.
    Map(Addr),
    /// Something behind a map that was there: buckets or groups, a table, a key or value that stands alone.
    MapPart(Addr),
    /// The bytes of a string.
    String,
    /// The array of a `[]byte`.
    Bytes,
}

/// What sampled objects were allocated as, by the bucket of the memory profile.
pub struct AllocSites<'a> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    symbols: Symbolizer<'a>,
    known: FxHashMap<Addr, Option<SiteType>>,
}

impl<'a> AllocSites<'a> {
    /// None is known yet. `mem` must have the binary's code and constants.
    #[must_use]
    pub fn new(rt: &'a Runtime, mem: &'a dyn Memory) -> Self {
        Self { rt, mem, symbols: Symbolizer::new(mem, &rt.module, rt.layout), known: FxHashMap::default() }
    }

    /// What the objects of a bucket were allocated as.
    pub fn of(&mut self, types: &mut TypeReader<'_>, bucket: Addr) -> Option<SiteType> {
        if let Some(known) = self.known.get(&bucket) {
            return *known;
        }
        if self.known.len() >= MAX_BUCKETS {
            return None;
        }
        let found = self.find(types, bucket);
        self.known.insert(bucket, found);
        found
    }

    fn find(&self, types: &mut TypeReader<'_>, bucket: Addr) -> Option<SiteType> {
        let (_, len) = bucket_extent(self.rt, self.mem, bucket).ok()?;
        let from = self.rt.layout.bucket.sizeof as usize;
        let frames = len.checked_sub(from + self.rt.layout.mem_record.sizeof as usize)? / 8;
        let stack = self.mem.bytes(bucket.plus(from as u64), frames.min(MAX_OWN) * 8, MAX_OWN * 8).ok()?;
        let pcs = stack.chunks_exact(8).map(|w| w.try_into().map_or(0, u64::from_le_bytes));
        for pc in pcs {
            let name = self.symbols.innermost(Addr(pc.checked_sub(1)?))?.function;
            if name == "internal/bytealg.MakeNoZero" {
                return Some(SiteType::Bytes);
            }
            if is_own(&name) {
                continue;
            }
            let function = self.symbols.find(Addr(pc - 1))?;
            let code = self.symbols.code(function.entry, (pc - function.entry.0).min(1 << 16))?;
            let call = (arch::of(self.rt.arch).call_before)(&code, function.entry, Addr(pc))?;
            let callee = self.symbols.find(call.target).filter(|f| f.entry == call.target)?;
            let found = site_type(&self.symbols.name(callee)?, &call, self.rt.version.minor)?;
            return found.is_one(types).then_some(found);
        }
        None
    }
}

impl SiteType {
    /// Whether what it names is a type, of the kind that it must be.
    fn is_one(self, types: &mut TypeReader<'_>) -> bool {
        match self {
            Self::One(at) | Self::Many(at) | Self::Either(at) => types.is_static(at) && types.get(at).is_some(),
            Self::Chan(at) => types.get(at).is_some_and(|t| matches!(t.shape, super::Shape::Chan { .. })),
            Self::Map(at) | Self::MapPart(at) => types.get(at).is_some_and(|t| t.map().is_some()),
            Self::String | Self::Bytes => true,
        }
    }
}

fn is_own(function: &str) -> bool {
    ["runtime.", "internal/runtime/", "runtime/internal/"].iter().any(|own| function.starts_with(own))
}

/// What a function of the runtime allocates for its caller.
fn site_type(function: &str, call: &Call, minor: u16) -> Option<SiteType> {
    let name = function.strip_prefix("runtime.")?;
    let [first, second, .., fifth] = call.arguments;
    Some(match name {
        "newobject" | "convT" | "convTnoptr" => SiteType::One(first?),
        "makeslice" | "makeslice64" | "makeslicecopy" => SiteType::Many(first?),
        // Before Go 1.20 the type came first.
        "growslice" if minor < 20 => SiteType::Many(first?),
        _ if name.starts_with("growslice") => SiteType::Many(fifth?),
        // From Go 1.26 on the compiler calls the allocator for the size itself
        // (`mallocgcSmallScanNoHeaderSC3`).
        _ if name.starts_with("mallocgc") => SiteType::Either(second?),
        "makechan" | "makechan64" => SiteType::Chan(first?),
        "makemap" | "makemap64" => SiteType::Map(first?),
        _ if name.starts_with("mapassign") => SiteType::MapPart(first?),
        "slicebytetostring" | "concatstrings" | "concatstring2" | "concatstring3" | "concatstring4"
        | "concatstring5" | "slicerunetostring" => SiteType::String,
        "stringtoslicebyte" | "concatbytes" | "concatbyte2" | "concatbyte3" | "concatbyte4" | "concatbyte5" => {
            SiteType::Bytes
        }
        _ => return None,
    })
}
