//! How many goroutines there are now, without their stacks: what `runtime.NumGoroutine` would say.

use lastgasp_inferior::{Addr, Memory, Part};
use rustc_hash::FxHashMap;

use super::decoded::is_system_start;
use super::g::pointers;
use super::status::Presence;
use crate::binary::pclntab::Symbolizer;
use crate::runtime::Runtime;

/// Most structures that are looked at: some 100 ms.
const MAX_COUNTED: usize = 256 << 10;
/// Structures that are read at once.
const AT_ONCE: usize = 4096;
/// Different first functions of which it is asked whether they are the runtime's.
const MAX_STARTS: usize = 4096;

/// Goroutines that live, but the runtime's own; `None` where there are too many structures to be looked at,
/// or they cannot be read. Of a process that runs each is right by itself. `constants` is where the names of
/// functions are read.
#[must_use]
pub fn count_goroutines(rt: &Runtime, mem: &dyn Memory, constants: &dyn Memory) -> Option<u64> {
    let mut gaps = Vec::new();
    let all = pointers(rt, mem, &mut gaps).1;
    if !gaps.is_empty() || all.len() > MAX_COUNTED {
        return None;
    }
    let symbols = Symbolizer::new(constants, &rt.module, rt.layout);
    let (status, start) = (rt.layout.g.atomicstatus, rt.layout.g.startpc);
    let mut own: FxHashMap<Addr, bool> = FxHashMap::default();
    let mut live = 0;
    for some in all.chunks(AT_ONCE) {
        let mut words = vec![[0; 8]; some.len() * 2];
        let places = some.iter().flat_map(|g| [g.plus(status), g.plus(start)]);
        let mut parts: Vec<Part<'_>> =
            places.zip(&mut words).map(|(addr, buf)| Part { addr, buf: buf.as_mut_slice(), ok: false }).collect();
        mem.read_parts(&mut parts);
        let ok: Vec<bool> = parts.iter().map(|p| p.ok).collect();
        for (pair, ok) in words.chunks_exact(2).zip(ok.chunks_exact(2)) {
            let [status, start] = pair else { continue };
            let is_live = matches!(Presence::parse(u64::from_le_bytes(*status) as u32), Presence::Live(_));
            if !is_live || ok.contains(&false) {
                continue;
            }
            let start = Addr(u64::from_le_bytes(*start));
            if own.len() >= MAX_STARTS {
                own.clear();
            }
            let is_own = own
                .entry(start)
                .or_insert_with(|| symbols.place(start, true).is_some_and(|p| is_system_start(&p.name)));
            live += u64::from(!*is_own);
        }
    }
    Some(live)
}

#[cfg(test)]
mod tests {
    use super::super::decode_all_goroutines;
    use super::super::labels::LabelSalt;
    use super::*;
    use crate::evidence::{FLAVOURS, Fixture};

    #[test]
    fn as_many_as_are_decoded() {
        for flavour in FLAVOURS {
            let f = Fixture::whole(flavour);
            let symbols = Symbolizer::new(&f.process, &f.runtime.module, f.runtime.layout);
            let salt = LabelSalt::default();
            let all = decode_all_goroutines(&f.runtime, &f.process, &symbols, &[], &salt, &mut Vec::new());
            let theirs = all.live.iter().filter(|g| !super::super::is_system(g)).count() as u64;
            assert_eq!((count_goroutines(&f.runtime, &f, &f.process), all.dead), (Some(theirs), 1));
        }
    }

    #[test]
    fn a_list_that_makes_no_sense_is_no_number() {
        let mut f = Fixture::whole(FLAVOURS[0]);
        f.process.overwrite(f.process.at.allglen, u64::MAX);
        assert_eq!(count_goroutines(&f.runtime, &f, &f.process), None);
    }
}
