//! Maps, channels, `sync.Map` and `sync.Pool`, read and held against a program that says what is in each
//! (`lab/programs/collections`): maps of both kinds in all states, those caught while they grow among them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use lastgasp_goruntime::collections::{
    ChanHeader, HeaderKind, HeaderReader, KnownHeader, MapReader, ReadBudget, pooled_objects, walk_sync_map,
};
use lastgasp_goruntime::{Runtime, TypeReader};
use lastgasp_inferior::{Addr, Layered, LiveProcess, Memory};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::find_or_fetch;
use serde::Deserialize;

#[derive(Deserialize)]
struct Truth {
    maps: Vec<Collection>,
    chans: Vec<Collection>,
    sync_maps: Vec<Collection>,
    pools: Vec<Collection>,
}

#[derive(Deserialize)]
struct Collection {
    name: String,
    at: u64,
    #[serde(rename = "type")]
    kind: u64,
    type_name: String,
    elements: u64,
    keys: u64,
    values: u64,
}

/// The first eight bytes.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let n = bytes.len().min(8);
    word[..n].copy_from_slice(&bytes[..n]);
    u64::from_le_bytes(word)
}

fn budget() -> ReadBudget {
    ReadBudget::of(1 << 30)
}

fn all_that_is_in_them(minor: u16, mode: Mode, experiment: &str) {
    let toolchain = match find_or_fetch(minor, &cache_dir()) {
        Ok(t) if experiment.is_empty() => t,
        Ok(t) => t.with_experiment(experiment),
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let binary = build(&toolchain, mode, &repo_root().join("lab/programs/collections"), ".").unwrap();
    let program = Oracle::start_still(&binary).unwrap();
    let truth: Truth = serde_json::from_slice(&program.truth().unwrap()).unwrap();
    let live = LiveProcess::open(program.pid()).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let constants = live.image().memory(live.bias(), &[]).unwrap();
    let memory = Layered { top: &live, bottom: constants };
    let mut types = TypeReader::new(&rt, &memory);
    let mut reader = MapReader::new(&rt, &memory);
    let (mut entries, mut growing) = (0, 0);
    for m in &truth.maps {
        let of = types.get(Addr(m.kind)).unwrap_or_else(|| panic!("no type of {}", m.name));
        assert_eq!(*of.name, *m.type_name);
        let layout = of.map().unwrap().clone();
        let sizes = (types.get(layout.key).unwrap().size, types.get(layout.elem).unwrap().size);
        let (mut keys, mut values) = (0u64, 0u64);
        let walk = reader.walk(Addr(m.at), &layout, sizes, &mut budget(), |e| {
            keys = keys.wrapping_add(word(e.key));
            values = values.wrapping_add(word(e.elem));
            // What is told to stand there stands there.
            let mut key = vec![0; e.key.len()];
            assert!(e.key.is_empty() || memory.read(e.key_at, &mut key).is_ok() && key == e.key);
            true
        });
        assert!(walk.is_whole(), "{}: {:?} of {}", m.name, walk, m.elements);
        assert_eq!((walk.found, keys, values), (m.elements, m.keys, m.values), "{}", m.name);
        let arrays = reader.arrays(Addr(m.at), &mut budget()).unwrap();
        assert!(arrays.slots >= m.elements || arrays.is_growing, "{}", m.name);
        assert_eq!((arrays.elements, arrays.counted), (m.elements, m.elements), "{}", m.name);
        entries += walk.found;
        growing += u64::from(arrays.is_growing);
        // With half of what it needs it ends, and says so.
        if m.elements > 1000 {
            let mut few = ReadBudget::of(m.elements * 4);
            assert!(!reader.walk(Addr(m.at), &layout, sizes, &mut few, |_| true).is_whole(), "{}", m.name);
        }
    }
    // Of maps of buckets some were caught.
    let buckets = minor < 24 || experiment == "noswissmap";
    assert_eq!(growing > 0, buckets);

    let mut headers = HeaderReader::new(&rt);
    let known = |kind| move |c: &Collection| KnownHeader { at: Addr(c.at), kind };
    let all: Vec<KnownHeader> = truth.maps.iter().map(known(HeaderKind::Map)).collect();
    for (m, h) in truth.maps.iter().zip(headers.read(&live, &all)) {
        let h = h.unwrap_or_else(|| panic!("no header of {}", m.name));
        assert_eq!(h.elements, m.elements, "{}", m.name);
        assert!(h.capacity >= m.elements / 2, "{}: {h:?}", m.name);
    }
    let all: Vec<KnownHeader> = truth.chans.iter().map(known(HeaderKind::Chan)).collect();
    for (c, h) in truth.chans.iter().zip(headers.read(&live, &all)) {
        assert_eq!(h.unwrap().elements, c.elements, "{}", c.name);
        let header = ChanHeader::read(&rt, &memory, Addr(c.at)).unwrap();
        let sum: u64 = header.waiting().map(|at| memory.u64(at).unwrap()).sum();
        let elem = types.get(header.elem_type).unwrap();
        assert_eq!((header.len, sum), (c.elements, c.values), "{}", c.name);
        assert_eq!((format!("chan {}", elem.name), header.elem_bytes), (c.type_name.clone(), elem.size));
    }
    for m in &truth.sync_maps {
        let (mut keys, mut values) = (0u64, 0u64);
        let found = walk_sync_map(&rt, &memory, Addr(m.at), &mut budget(), &mut |e| {
            keys = keys.wrapping_add(word(e.key));
            values = values.wrapping_add(word(e.elem));
            true
        });
        assert_eq!((found, keys, values), (Ok(m.elements), m.keys, m.values), "sync.Map {}", m.name);
    }
    for p in &truth.pools {
        let found = pooled_objects(&rt, &memory, Addr(p.at), &mut budget(), &mut |of, _| {
            assert_eq!(&*types.get(of).unwrap().name, "*main.wide");
        });
        assert_eq!(found, Ok(p.elements));
    }
    eprintln!(
        "go1.{minor} {} {experiment}: {} maps with {entries} entries, {growing} growing",
        mode.name(),
        truth.maps.len()
    );
}

macro_rules! cells {
    ($($name:ident: $minor:expr, $mode:expr, $experiment:expr;)*) => {
        $(#[test] fn $name() { all_that_is_in_them($minor, $mode, $experiment); })*
    };
}

cells! {
    go1_19: 19, Mode::Plain, "";
    go1_20_stripped: 20, Mode::Stripped, "";
    go1_21_stripped: 21, Mode::Stripped, "";
    go1_22_stripped: 22, Mode::Stripped, "";
    go1_23_stripped: 23, Mode::Stripped, "";
    go1_24: 24, Mode::Plain, "";
    go1_24_no_swiss_map: 24, Mode::Stripped, "noswissmap";
    go1_25_stripped: 25, Mode::Stripped, "";
    go1_26_stripped: 26, Mode::Stripped, "";
    go1_27: 27, Mode::PieStripped, "";
    go1_27_split_group: 27, Mode::Stripped, "mapsplitgroup";
}
